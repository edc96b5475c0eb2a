// @ts-check

import { choice, el, fill, ofHash, place } from '../shared/elements.js';
import { span, time } from '../shared/format.js';
import { follow, history, map } from './api.js';
import { Entity } from './entity.js';
import { Fresh } from './fresh.js';
import { EmbeddingMap } from './map.js';
import { Right } from './right.js';
import { Safe } from './safe.js';
import { Size } from './size.js';

const LOOK_MS = 5_000;
const RANGES = ['hour', 'day'];

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

function show() {
  if (status === undefined) return;
  const { headline, graphs } = status;
  const line = place('headline');
  line.dataset['level'] = headline.level;
  const step = headline.step === undefined ? [] : [` — docs/runbook.md#${headline.step}`];
  fill(line, el('span', {}, headline.text), ...step.map((text) => el('span', { class: 'quiet' }, text)));
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
