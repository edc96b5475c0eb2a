"""Ranks exported vectors by the evaluator of PyKEEN: filtered MRR and hits of `twhin evaluate kg`, by somebody else's code.

    twhin evaluate kg --train F --valid F --test F --export DIR
    python3 -m venv bench/peers/.venv && bench/peers/.venv/bin/pip install -r bench/peers/requirements-pykeen.txt
    bench/peers/.venv/bin/python bench/peers/pykeen_rank.py DIR --train F --valid F --test F

Scores are computed here by the formula of model.json, in float64. PyKEEN masks the known answers and makes the figures.
"""
import argparse
import json
from pathlib import Path

import numpy as np
import torch
from pykeen.evaluation import RankBasedEvaluator
from pykeen.evaluation.evaluator import create_sparse_positive_filter_, filter_scores_

BATCH = 256

arguments = argparse.ArgumentParser()
arguments.add_argument("folder", type=Path)
for part in ("train", "valid", "test"):
    arguments.add_argument(f"--{part}", type=Path, required=True)
options = arguments.parse_args()


def names(of):
    return {name: i for i, name in enumerate((options.folder / of).read_text().splitlines())}


def vectors(of):
    return torch.from_numpy(np.load(options.folder / of)).double()


ENTITIES, RELATIONS = names("entities.txt"), names("relations.txt")
MODEL = json.loads((options.folder / "model.json").read_text())
entities, relations, reciprocals = vectors("entities.npy"), vectors("relations.npy"), vectors("reciprocals.npy")


def triples(path):
    rows = [line.rstrip("\n").split("\t") for line in path.open() if line.strip()]
    return torch.tensor([[ENTITIES[h], RELATIONS[r], ENTITIES[t]] for h, r, t in rows])


def scores(anchors):
    """[anchors, entities]"""
    if MODEL["scorer"] == "dot":
        return MODEL["scale"] * anchors @ entities.T
    if MODEL["norm"] == 1:
        return -MODEL["scale"] * torch.cdist(anchors, entities, p=1)
    # Without the matrix product, which loses the last bits.
    distance = torch.cdist(anchors, entities, p=2, compute_mode="donot_use_mm_for_euclid_dist")
    return -MODEL["scale"] * (distance**2 if MODEL.get("squared") else distance)


test = triples(options.test)
known = torch.cat([triples(options.train), triples(options.valid), test])
evaluator = RankBasedEvaluator()
for start in range(0, len(test), BATCH):
    batch = test[start : start + BATCH]
    for target, column, anchors in (
        ("tail", 2, entities[batch[:, 0]] + relations[batch[:, 1]]),
        ("head", 0, entities[batch[:, 2]] + reciprocals[batch[:, 1]]),
    ):
        all_scores = scores(anchors)
        true_scores = all_scores[torch.arange(len(batch)), batch[:, column]].unsqueeze(-1)
        mask, _ = create_sparse_positive_filter_(hrt_batch=batch, all_pos_triples=known, filter_col=column)
        filtered = filter_scores_(scores=all_scores.clone(), filter_batch=mask)
        filtered[torch.arange(len(batch)), batch[:, column]] = true_scores.squeeze(-1)
        evaluator.process_scores_(hrt_batch=batch, target=target, scores=filtered, true_scores=true_scores)
results = evaluator.finalize()
figures = {
    "mrr": results.get_metric("both.realistic.inverse_harmonic_mean_rank"),
    **{f"hits{k}": results.get_metric(f"both.realistic.hits_at_{k}") for k in (1, 3, 10)},
}
print(json.dumps(figures))
