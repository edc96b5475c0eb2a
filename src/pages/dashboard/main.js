// @ts-check

import { choice, el, fill, meanings, ofHash, place } from '../shared/elements.js';
import { separated, span, time } from '../shared/format.js';
import { follow, history, map } from './api.js';
import { Entity } from './entity.js';
import { Fresh } from './fresh.js';
import { EmbeddingMap } from './map.js';
import { Right } from './right.js';
import { Safe } from './safe.js';
import { Size } from './size.js';

const LOOK_MS = 5_000;
const RANGES = ['hour', 'day'];
const WORDS = {
  MRR: 'Mean of 1/rank of new events, each ranked before it is learned; 1 is the best.',
  'known, new': 'A known edge has two ends that were trained before; a new edge has one or none.',
  'of 26': 'The mean is of 26 edges alone, which are too few to tell.',
  'hits@10': 'Share of these events among the first ten of their ranking.',
  'by popularity, by chance': 'MRR of the same events, ranked by number of edges or at random.',
  loss: 'Error that training makes small; its course tells more than its height.',
  movement:
    'Distance from the vector that was published before; 99\u00a0% of vectors moved less than the second figure.',
  length: 'Mean length of the published vectors.',
  outbox: 'Committed vectors that Kafka has not acknowledged yet.',
  epoch: 'Number of the process that writes the graph; the next process has a higher one.',
  'rows free': 'Entities that the table still has room for; limits.maxEntities is the limit.',
};

const sections = { fresh: new Fresh(), right: new Right(), safe: new Safe(), size: new Size() };
const [entity, drawing] = [new Entity(), new EmbeddingMap()];

let graph = ofHash();
let range = 'hour';
/** @type {import('./api.js').Status | undefined} */
let status;
/** @type {import('./api.js').Status | undefined} */
let before;

follow(
  (received) => {
    // A rate needs a few seconds between two counts, and both counts from the same process.
    if (before === undefined || received.startedAt !== before.startedAt || received.now - before.now > 4_000)
      before = status;
    status = received;
    show();
  },
  (connected) => {
    const last = status === undefined ? '' : `; the page shows the state of ${time(status.now)}`;
    place('connection').textContent = connected ? '' : `Not connected: trying again${last}.`;
    if (connected) return void look();
    const headline = place('headline');
    headline.dataset['level'] = 'bad';
    headline.textContent = 'The updater does not answer';
  },
);
setInterval(() => void look(), LOOK_MS);
place('connection').parentElement?.after(meanings(WORDS));

function show() {
  if (status === undefined) return;
  const { headline, graphs } = status;
  const line = place('headline');
  line.dataset['level'] = headline.level;
  const step = headline.step === undefined ? [] : [` — docs/runbook.md#${headline.step}`];
  const said = el('span', {}, separated(headline.text));
  fill(line, said, ...step.map((text) => el('span', { class: 'quiet' }, text)));
  document.title = `${headline.level === 'ok' ? '' : '! '}twhin-stream`;
  const names = graphs.map((each) => each.graph);
  if (!names.includes(graph)) {
    graph = names[0] ?? '';
    void look();
  }
  choice(place('graphs'), names, graph, (name) => {
    graph = name;
    location.hash = encodeURIComponent(name);
    show();
    void look();
  });
  choice(place('ranges'), RANGES, range, (name) => {
    range = name;
    show();
    void look();
  });
  place('about').textContent =
    `version ${status.version}, up for ${span(status.now - status.startedAt)}, as of ${time(status.now)}`;
  const now = graphs.find((each) => each.graph === graph);
  if (now === undefined) return;
  sections.fresh.status(now, { events: eventRate(now) });
  sections.right.status(now);
  sections.safe.status(now, status);
  sections.size.status(now, status);
  entity.of(graph);
}

/** @param {import('./api.js').GraphStatus} now */
function eventRate(now) {
  const then = before?.graphs.find((each) => each.graph === now.graph);
  if (status === undefined || before === undefined || then === undefined || status.now <= before.now)
    return undefined;
  return (1_000 * (now.events.consumed - then.events.consumed)) / (status.now - before.now);
}

/** Asks for curves and map. A failed request, or an answer for a graph that is no longer chosen, changes nothing. */
async function look() {
  if (graph === '' || document.hidden) return;
  const asked = graph;
  const [curves, sample] = await Promise.all([
    history(graph, range).catch(() => undefined),
    map(graph).catch(() => undefined),
  ]);
  if (asked !== graph) return;
  if (curves !== undefined) for (const section of Object.values(sections)) section.history(curves);
  if (sample !== undefined) drawing.show(sample);
}
