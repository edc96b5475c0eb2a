"""The peer of `npm run bench -- peer`: what a good engineer writes in a day, with confluent-kafka, PyTorch and RocksDB.

It reads engagements from a topic, trains the default recipe (TransE with reciprocal relations, softmax over 64 in-batch and 192
uniform candidates a side with corrected scores, row-wise Adagrad, unit ball, rehearsal), keeps edges and offsets in RocksDB, and
publishes each vector that moved further than .05. A batch is many chunks at once: three batched matrix products a side.
It has no masks of known positives, no dead letters, no duplicates, no late or undone events, no fencing, no evaluation, and nothing
ties edges, vectors and offsets together: after a crash, events are lost or counted twice.

    python bench/peers/pipeline.py --brokers HOST:PORT --topic T --out T --records N --updates 4 --threads 1 --store FOLDER
"""

import argparse
import json
import queue
import resource
import sys
import threading
import time

import numpy as np
import orjson
import torch
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from rocksdict import Options, Rdict, WriteBatch

DIM, CHUNK, UNIFORM, BATCH = 128, 64, 192, 1024
BETA, WEIGHT, RATE, EPSILON = 9.0, 3.0, 0.05, 0.05
ACTIONS = {'like': 0, 'retweet': 1, 'reply': 2, 'quote': 3, 'mention': 4}
ROWS = 1 << 20

parser = argparse.ArgumentParser()
for name in ('brokers', 'topic', 'out', 'store'):
    parser.add_argument(f'--{name}', required=True)
for name in ('records', 'updates', 'threads'):
    parser.add_argument(f'--{name}', type=int, required=True)
args = parser.parse_args()
torch.set_num_threads(args.threads)
torch.set_grad_enabled(False)
torch.manual_seed(1)


def read(into: queue.Queue) -> None:
    """Parsed events, in lists, from a thread of its own. The first list is given with the time at which it came."""
    consumer = Consumer(
        {'bootstrap.servers': args.brokers, 'group.id': args.out, 'auto.offset.reset': 'earliest', 'enable.auto.commit': False}
    )
    consumer.subscribe([args.topic])
    left = args.records
    while left > 0:
        messages = consumer.consume(BATCH, 0.1)
        if messages:
            left -= len(messages)
            into.put(([orjson.loads(each.value()) for each in messages], messages[-1].partition(), messages[-1].offset()))
    into.put(None)
    consumer.close()


class Rows:
    """A row for each name, and the rows of a type, to draw candidates from. degree: edges of each row."""

    def __init__(self) -> None:
        self.of: dict[str, int] = {}
        self.names: list[str] = []
        self.typed = {kind: (np.empty(ROWS, np.int64), [0]) for kind in ('user', 'tweet')}

    def row(self, kind: str, name: str) -> int:
        key = f'{kind}:{name}'
        row = self.of.get(key)
        if row is None:
            row = self.of[key] = len(self.names)
            self.names.append(key)
            rows, count = self.typed[kind]
            rows[count[0]] = row
            count[0] += 1
        return row


rows = Rows()
table = (torch.rand(ROWS, DIM) * 2 - 1) * (3 / DIM) ** 0.5
accumulators = torch.zeros(ROWS)
sent = torch.zeros(ROWS, DIM)
# A vector and an accumulator for each relation, to find its rhs and its lhs.
forward, backward = ((torch.zeros(len(ACTIONS), DIM), torch.zeros(len(ACTIONS))) for _ in range(2))
degree = torch.zeros(ROWS)
edges = np.empty((3, max(ROWS, args.records)), np.int64)  # lhs, relation, rhs
count = 0
moved: list[torch.Tensor] = []
random = np.random.default_rng(1)


def side(anchors, relation, positives, kind, direction, gradients) -> None:
    """One side of many chunks. anchors, relation, positives: [G, E]. Appends the rows that it moves and their gradients."""
    groups, size = anchors.shape
    drawn, (of_kind,) = rows.typed[kind]
    uniform = torch.from_numpy(drawn[random.integers(0, of_kind, (groups, UNIFORM))])
    candidates = torch.cat([positives, uniform], 1)
    query = table[anchors] + direction[0][relation]
    others = table[candidates]
    distance = query.square().sum(2, keepdim=True) + others.square().sum(2).unsqueeze(1)
    distance = torch.baddbmm(distance, query, others.transpose(1, 2), alpha=-2).clamp_(min=1e-9).sqrt_()
    expected = degree[candidates].clamp(min=1) * (of_kind * size / max(count, 1))
    correction = ((UNIFORM + expected) / (size + UNIFORM)).log_().unsqueeze(1)
    scores = distance * -BETA - correction
    own = torch.arange(size)
    positive = distance[:, own, own] * -BETA
    scores[:, own, own] = -torch.inf
    top = torch.maximum(scores.amax(2), positive)
    weights = scores.sub_(top.unsqueeze(2)).exp_().mul_(WEIGHT)
    partition = (positive - top).exp() + weights.sum(2)
    weights /= partition.unsqueeze(2)
    weights[:, own, own] = -weights.sum(2)
    # The loss by a distance is -β times its weight; a distance by the query is (query - candidate) / distance.
    pulls = weights.mul_(-BETA).div_(distance)
    of_query = pulls.sum(2, keepdim=True) * query - pulls @ others
    of_others = pulls.sum(1).unsqueeze(2) * others - pulls.transpose(1, 2) @ query
    gradients.append((anchors.reshape(-1), of_query.reshape(-1, DIM)))
    gradients.append((candidates.reshape(-1), of_others.reshape(-1, DIM)))
    step(*direction, relation.reshape(-1), of_query.reshape(-1, DIM))


def step(target, accumulator, index, gradient) -> torch.Tensor:
    """Row-wise Adagrad on the rows of `index`, the gradients of each summed first."""
    unique, inverse = torch.unique(index, return_inverse=True)
    total = torch.zeros(len(unique), DIM).index_add_(0, inverse, gradient)
    root = (accumulator[unique] + total.square().mean(1)).clone()
    accumulator[unique] = root
    vectors = target[unique] - total * (RATE / (root.sqrt() + 1e-8)).unsqueeze(1)
    target[unique] = vectors / vectors.norm(dim=1, keepdim=True).clamp(min=1)
    return unique


def train(new: np.ndarray) -> None:
    """Edges [3, n] of a batch and as many old ones for each as are asked for, in chunks that are trained at once."""
    old = edges[:, random.integers(0, count, new.shape[1] * (args.updates - 1))]
    batch = np.concatenate([new, old], 1)
    size = min(CHUNK, batch.shape[1])
    groups = batch.shape[1] // size
    order = random.permutation(batch.shape[1])[: groups * size]
    lhs, relation, rhs = torch.from_numpy(batch[:, order]).reshape(3, groups, size)
    gradients: list = []
    side(lhs, relation, rhs, 'tweet', forward, gradients)
    side(rhs, relation, lhs, 'user', backward, gradients)
    moved.append(step(table, accumulators, *(torch.cat(parts) for parts in zip(*gradients))))


store = Rdict(args.store, Options(raw_mode=True))
producer = Producer({'bootstrap.servers': args.brokers, 'linger.ms': 50, 'queue.buffering.max.messages': 1_000_000})
published = 0


def publish(least: float) -> None:
    """Vectors that moved further than `least` since they were published."""
    global published
    touched = torch.unique(torch.cat(moved))
    moved.clear()
    vectors = table[touched]
    far = (vectors - sent[touched]).norm(dim=1) > least
    going, vectors = touched[far], vectors[far]
    sent[going] = vectors
    for row, vector in zip(going.tolist(), vectors.numpy()):
        producer.produce(args.out, key=rows.names[row], value=vector.tobytes())
        published += 1
    producer.poll(0)


def apply(events: list, partition: int, offset: int) -> np.ndarray:
    """Rows of events, which are added to the edges and written to the store."""
    global count
    batch = WriteBatch(raw_mode=True)
    begin = count
    for event in events:
        user, tweet, action = event['userId'], event['tweetId'], event['action']
        if action not in ACTIONS:
            continue
        edges[:, count] = rows.row('user', user), ACTIONS[action], rows.row('tweet', tweet)
        count += 1
        at = str(event['at']).encode()
        batch.put(f'o{user} {action} {tweet}'.encode(), at)
        batch.put(f'i{tweet} {action} {user}'.encode(), at)
    batch.put(f'offset {partition}'.encode(), str(offset + 1).encode())
    store.write(batch)
    new = edges[:, begin:count]
    for ends in (new[0], new[2]):
        degree.index_add_(0, torch.from_numpy(ends), torch.ones(len(ends)))
    return new


admin = AdminClient({'bootstrap.servers': args.brokers})
admin.create_topics([NewTopic(args.out, 3, config={'cleanup.policy': 'compact'})])[args.out].result()
incoming: queue.Queue = queue.Queue(8)
threading.Thread(target=read, args=(incoming,), daemon=True).start()
began = None
last = time.perf_counter()
while (each := incoming.get()) is not None:
    began = began or time.perf_counter()
    train(apply(*each))
    if time.perf_counter() - last > 0.5:
        publish(EPSILON)
        last = time.perf_counter()
read_at = time.perf_counter()
moved.append(torch.arange(len(rows.names)))
publish(0)
producer.flush()
ended = time.perf_counter()
store.close()
usage = resource.getrusage(resource.RUSAGE_SELF)
figures = {
    'rate': args.records / (ended - began),
    'readRate': args.records / (read_at - began),
    'cpu': usage.ru_utime + usage.ru_stime,
    'rss': usage.ru_maxrss * 1024,
    'published': published,
}
json.dump(figures, sys.stdout)
