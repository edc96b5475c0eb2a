"""Turns three public data sets into events and a configuration, for the bench `streams`. Python 3 and nothing else.

    python3 bench/streams/prepare.py higgs FOLDER OUT          # higgs-activity_time.txt.gz of SNAP
    python3 bench/streams/prepare.py mathoverflow FOLDER OUT   # sx-mathoverflow-{a2q,c2q,c2a}.txt.gz of SNAP
    python3 bench/streams/prepare.py foursquare FOLDER OUT     # NYC.friendship_{old,new}.csv.gz, NYC.selected_checkins.csv.gz
    npm run bench -- streams --folder OUT --graph NAME

Higgs: graph `accounts`, whom a user retweets, answers or mentions, where an account that acts and one that is named are one entity; nobody himself.
mathoverflow: graph `contacts`, whom a user answers or comments to, in the order of time; nobody to himself.
Foursquare: graph `friends`. Friendships from before and check-ins come first, in a random order, for only the hour of the week is
known; friendships that were added come last, and are the share that --holdout has to hold back: it is printed.
"""
import csv
import gzip
import json
import random
import sys
from pathlib import Path

CONFIG = """export default (k) => ({{
  entityTypes: {types},
  relations: {relations},
  topics: [k.defineTopic({{
    name: 'event',
    schema: k.z.object({{ lhs: k.entityField({keyTypes}), relation: k.z.enum({names}), rhs: k.entityField({keyTypes}), at: k.instantField }}),
    key: (event) => event.lhs,
    changes: ({{ lhs, relation, rhs, at }}) => [{{ lhs, relation, rhs, at, removed: false }}],
  }})],
  graphs: {{ {graph}: {{ topics: ['event'], relations: {names} }} }},
}});
"""


def write(out, graph, relations, events, types=()):
    out.mkdir(parents=True, exist_ok=True)
    names = json.dumps([name for name, _, _ in relations])
    text = CONFIG.format(
        graph=graph,
        types=json.dumps(list(types)),
        relations=json.dumps([{"name": name, "lhs": lhs, "rhs": rhs} for name, lhs, rhs in relations]),
        names=names,
        keyTypes=json.dumps(["user", *types]),
    )
    (out / "twhin.config.ts").write_text(text)
    with (out / "events.ndjson").open("w") as file:
        for lhs, relation, rhs, at in events:
            file.write(json.dumps({"lhs": lhs, "relation": relation, "rhs": rhs, "at": at}) + "\n")


def higgs(folder, out):
    relations = {"RT": "retweet-of", "RE": "reply-to", "MT": "mention-of"}

    def events():
        for line in gzip.open(folder / "higgs-activity_time.txt.gz", "rt"):
            actor, target, seconds, kind = line.split()
            if actor != target:
                yield f"user:{actor}", relations[kind], f"user:{target}", 1000 * int(seconds)

    write(out, "accounts", [(name, "user", "user") for name in relations.values()], events())


def mathoverflow(folder, out):
    parts = {"answers": "a2q", "comments-question": "c2q", "comments-answer": "c2a"}
    rows = []
    for relation, part in parts.items():
        for line in gzip.open(folder / f"sx-mathoverflow-{part}.txt.gz", "rt"):
            source, target, seconds = line.split()
            if source != target:
                rows.append((int(seconds), relation, source, target))
    events = ((f"user:{a}", relation, f"user:{b}", 1000 * at) for at, relation, a, b in sorted(rows))
    write(out, "contacts", [(name, "user", "user") for name in parts], events)


def foursquare(folder, out):
    def read(name):
        return list(csv.reader(gzip.open(folder / f"NYC.{name}.csv.gz", "rt")))[1:]

    def both_ways(pairs):
        return [edge for a, b in sorted(pairs) for edge in ((a, "befriends", f"user:{b}"), (b, "befriends", f"user:{a}"))]

    before = {tuple(sorted(pair)) for pair in read("friendship_old")}
    added = {tuple(sorted(pair)) for pair in read("friendship_new")} - before
    shuffle = random.Random(1).shuffle
    first = both_ways(before) + [(user, "visits", f"venue:{venue}") for user, _, venue, _ in read("selected_checkins")]
    later = both_ways(added)
    shuffle(first)
    shuffle(later)
    start = 1_600_000_000_000
    events = ((f"user:{a}", name, b, start + 1000 * i) for i, (a, name, b) in enumerate(first + later))
    write(out, "friends", [("befriends", "user", "user"), ("visits", "user", "venue")], events, types=["venue"])
    print(f"--holdout {len(later) / (len(first) + len(later)):.4f}")


if len(sys.argv) != 4 or sys.argv[1] not in ("higgs", "mathoverflow", "foursquare"):
    sys.exit(__doc__)
{"higgs": higgs, "mathoverflow": mathoverflow, "foursquare": foursquare}[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
