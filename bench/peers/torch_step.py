"""The kernel's training step in eager PyTorch on one thread, gradients written out, as fast as plain operations go.

Started with a workload as JSON (bench/kernel/workload.ts). Prints its version; then, for each line with a number of ms
on stdin, works for about so long and prints thousands of edges for each second of CPU.

Chunks come eight at a time, so that each operation is large. Duplicate rows are not summed before Adagrad and no row is
scaled back into the unit ball: both would make it slower.
"""
import json
import sys
import time

import torch

torch.set_num_threads(1)
torch.manual_seed(1)
workload = json.loads(sys.argv[1])
DIM, ROWS = workload["dim"], workload["rows"]
EDGES, IN_BATCH, UNIFORM = workload["edges"], workload["inBatch"], workload["uniform"]
SOFTMAX = workload["loss"] == "softmax"
DISTANCE = workload["scorer"] == "transe-l2"
BETA, OMEGA, RATE = (9.0, 3.0, 0.05) if SOFTMAX else (1.0, 1.0, 0.05)
RELATIONS, CHUNKS, BATCHES = 8, 8, 32

table = torch.randn(ROWS, DIM) / DIM**0.5
accumulators = torch.full((ROWS,), 0.1)
relations = torch.randn(2, RELATIONS, DIM) * 0.1
relation_accumulators = torch.full((2, RELATIONS), 0.1)
own = torch.arange(IN_BATCH)


def zipf(*shape):
    """Ids by Zipf's law, ranks one after another far apart."""
    ranks = (torch.rand(*shape, dtype=torch.float64) * torch.log(torch.tensor(float(ROWS)))).exp().long() - 1
    return ranks * 7_368_787 % ROWS


batches = [
    (
        zipf(2, CHUNKS, EDGES),
        torch.randint(0, ROWS, (2, CHUNKS, UNIFORM)),
        torch.randint(0, RELATIONS, (CHUNKS, EDGES)),
    )
    for _ in range(BATCHES)
]


def side(anchors, positives, candidates):
    """Gradients of anchors, positives and candidates, [chunks, n, dim] each. The first candidates are the positives."""
    scores = torch.bmm(anchors, candidates.transpose(1, 2))
    if DISTANCE:
        squares = (anchors * anchors).sum(2, keepdim=True) + (candidates * candidates).sum(2).unsqueeze(1)
        distances = squares.sub_(scores, alpha=2).clamp_min_(1e-8).sqrt_()
        scores = -BETA * distances
        difference = positives - anchors
        positive_distance = (difference * difference).sum(2).clamp_min_(1e-8).sqrt_()
        positive = -BETA * positive_distance
    else:
        positive = BETA * (anchors * positives).sum(2)
    scores[:, own, own] = -1e30
    if SOFTMAX:
        top = torch.maximum(scores.amax(2), positive)
        terms = scores.sub_(top.unsqueeze(2)).exp_().mul_(OMEGA)
        total = terms.sum(2)
        partition = total + (positive - top).exp_()
        weights = terms.div_(partition.unsqueeze(2))
        positive_weight = -total / partition
    else:
        weights = scores.sigmoid_().div_(candidates.shape[1] - 1)
        positive_weight = -torch.sigmoid(-positive)
    if DISTANCE:
        pulls = weights.mul_(BETA).div_(distances)
        pull = (BETA * positive_weight / positive_distance).unsqueeze(2) * difference
        of_anchors = torch.bmm(pulls, candidates) - pulls.sum(2, keepdim=True) * anchors + pull
        of_candidates = torch.bmm(pulls.transpose(1, 2), anchors) - pulls.sum(1).unsqueeze(2) * candidates
        return of_anchors, -pull, of_candidates
    pull = (BETA * positive_weight).unsqueeze(2)
    of_anchors = torch.bmm(weights, candidates) + pull * positives
    return of_anchors, pull * anchors, torch.bmm(weights.transpose(1, 2), anchors)


def step(ends, uniform, relation):
    vectors = table[ends]
    drawn = table[uniform]
    rows, gradients = [ends[0], ends[1]], [torch.zeros_like(vectors[0]), torch.zeros_like(vectors[1])]
    for reverse in (0, 1):
        anchor, positive = reverse, 1 - reverse
        anchors = vectors[anchor] + relations[reverse][relation]
        candidates = torch.cat([vectors[positive][:, :IN_BATCH], drawn[positive]], 1)
        of_anchors, of_positives, of_candidates = side(anchors, vectors[positive], candidates)
        gradients[anchor] += of_anchors
        gradients[positive] += of_positives
        gradients[positive][:, :IN_BATCH] += of_candidates[:, :IN_BATCH]
        rows.append(uniform[positive])
        gradients.append(of_candidates[:, IN_BATCH:])
        of_relations = torch.zeros_like(relations[reverse])
        of_relations.index_add_(0, relation.reshape(-1), of_anchors.reshape(-1, DIM))
        relation_accumulators[reverse] += (of_relations * of_relations).mean(1)
        relations[reverse] -= RATE * of_relations / relation_accumulators[reverse].sqrt().unsqueeze(1)
    ids = torch.cat([each.reshape(-1) for each in rows])
    gradient = torch.cat([each.reshape(-1, DIM) for each in gradients])
    accumulators.index_add_(0, ids, (gradient * gradient).mean(1))
    rates = -RATE / (accumulators[ids].sqrt() + 1e-8)
    table.index_add_(0, ids, gradient.mul_(rates.unsqueeze(1)))


print(f"PyTorch {torch.__version__}", flush=True)
for line in sys.stdin:
    began, steps = time.process_time(), 0
    while time.process_time() - began < float(line) / 1000:
        step(*batches[steps % BATCHES])
        steps += 1
    print(steps * CHUNKS * EDGES / (time.process_time() - began) / 1000, flush=True)
