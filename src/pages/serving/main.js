// @ts-check
import { el, fill, place } from '../shared/elements.js';
import { count, span, time, total } from '../shared/format.js';
import { act, groups, Refusal, randomUser, status } from './api.js';
import { Person } from './person.js';
import { Similar, Surface, wordsOf } from './surface.js';

const LISTS_MS = 5_000;
const STATUS_MS = 2_000;
/** While an event is on its way, the state is asked for so often, and so long. */
const [WATCH_MS, GIVE_UP_MS] = [100, 20_000];
/** Entities whose groups are asked for at once. */
const GROUPS_AT_ONCE = 100;

const input = /** @type {HTMLInputElement} */ (place('user'));
const query = /** @type {HTMLInputElement} */ (place('query'));
const person = new Person();
const similar = new Similar(chosen);
const surfaces = [
  new Surface('home', 'like', chosen),
  new Surface('who-to-follow', 'follow', chosen),
  new Surface('ads', 'click', chosen),
];
const DONE = /** @type {Record<string, string>} */ ({ like: 'Liked', follow: 'Followed', click: 'Clicked' });

/** @type {import('./api.js').Status | undefined} */
let now;
let user = '';
/** What the reader looks for; what is similar to the user before that. @type {import('./surface.js').Wanted | undefined} */
let wanted;
let isLive = true;
/** A user whose name was refused: asking again would change nothing. */
let wrong = '';
/** Number of the newest request for lists: an older answer is dropped. */
let asked = 0;
/** Groups of entities by name; only a demo has any. @type {Map<string, readonly string[]>} */
const known = new Map();
/** @param {string} entity */
const groupsOf = (entity) => known.get(entity) ?? [];

place('who').addEventListener('submit', (event) => {
  event.preventDefault();
  choose(input.value.trim());
});
place('search').addEventListener('submit', (event) => {
  event.preventDefault();
  wanted = { query: query.value.trim() };
  void lists();
});
place('random').addEventListener('click', () => void chooseRandom());
place('live').addEventListener('click', () => {
  isLive = !isLive;
  place('live').setAttribute('aria-pressed', String(isLive));
});
addEventListener('hashchange', () => choose(ofHash()));
setInterval(() => {
  if (isLive && !document.hidden && now?.ready === true && user !== '' && user !== wrong) void lists();
}, LISTS_MS);
void follow();

function ofHash() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return '';
  }
}

/** Asks for the state again and again, and for the first lists once they can be had. */
async function follow() {
  const wasReady = now?.ready === true;
  try {
    now = await status();
    showStatus(now);
    if (now.ready && user === '') {
      if (ofHash() !== '') choose(ofHash());
      else if (now.graphs.some(({ vectors }) => (vectors['user'] ?? 0) > 0)) await chooseRandom();
    } else if (now.ready && !wasReady) void lists();
  } catch (error) {
    showSilence(error);
  }
  setTimeout(() => void follow(), STATUS_MS);
}

/** @param {import('./api.js').Status} state */
function showStatus({ version, ready, reasons, graphs, actions }) {
  const stale = graphs.map(({ staleSince }) => staleSince ?? 0).filter((since) => since > 0);
  const vectors = graphs.reduce((sum, each) => sum + total(each.vectors), 0);
  const names = graphs.map(({ graph }) => graph).join(' and ');
  if (!ready) headline('wait', `Reading: ${reasons.join('; ')}`);
  else if (stale.length > 0)
    headline(
      'warn',
      `The brokers are out of reach since ${time(Math.min(...stale))}`,
      'Lists are made of what was read before. docs/runbook.md#serving',
    );
  else headline('ok', `Live: ${count(vectors)} vectors of ${names}`);
  const reads = graphs.flatMap(({ read }) => [read.vectors, read.events]);
  const share = reads.length === 0 ? 0 : reads.reduce((sum, each) => sum + each, 0) / reads.length;
  fill(
    place('progress'),
    ...(ready
      ? []
      : [
          el('progress', {
            value: String(share),
            max: '1',
            'aria-label': 'Share of the topics that is read',
          }),
        ]),
  );
  const served = graphs.flatMap((each) => each.surfaces);
  for (const surface of surfaces) surface.served(served);
  const steps = graphs.map(({ graph, step }) => `${graph} at step ${count(step)}`).join(', ');
  place('about').textContent =
    `version ${version} — ${steps}${actions.length > 0 ? ' — a demo: its buttons send events' : ''}`;
}

/** @param {unknown} error */
function showSilence(error) {
  const isAway = error instanceof Refusal && error.code === 0;
  const what = isAway ? 'twhin serve does not answer' : wordsOf(error);
  headline('bad', what, 'Trying again. The lists are those that were read last.');
}

/**
 * @param {string} level
 * @param {string} text
 * @param {string} [more]
 */
function headline(level, text, more) {
  const line = place('headline');
  line.dataset['level'] = level;
  fill(
    line,
    el('span', {}, text),
    ...(more === undefined ? [] : [el('span', { class: 'quiet more' }, more)]),
  );
  document.title = `${level === 'ok' ? '' : '! '}twhin serve`;
}

async function chooseRandom() {
  try {
    choose((await randomUser()).user);
  } catch (error) {
    problem(wordsOf(error));
  }
}

/** @param {string} id */
function choose(id) {
  if (id === '' || id === user) return;
  problem('');
  user = id;
  wanted = undefined;
  // An id with a colon needs the type before it.
  input.value = id.replace(/^user:(?=[^:]*$)/, '');
  const hash = `#${encodeURIComponent(id)}`;
  if (location.hash !== hash) history.replaceState(null, '', hash);
  news('');
  void lists();
}

/** @param {string} what @param {string} entity */
function chosen(what, entity) {
  if (what !== 'show') return void send(what, entity);
  wanted = { entity };
  void lists();
}

/** Asks for all lists of the user, one after the other: a busy server refuses many at once. Shows them together. */
async function lists() {
  const turn = ++asked;
  /** @type {Map<object, unknown>} */
  const failures = new Map();
  /** @param {object} who @param {Promise<unknown>} answer */
  const heard = (who, answer) => answer.catch((error) => void failures.set(who, error));
  await heard(person, person.ask(user));
  if (failures.has(person)) {
    const reason = failures.get(person);
    if (reason instanceof Refusal && reason.code === 400) wrong = user;
    if (turn === asked) problem(wordsOf(reason));
    return [];
  }
  for (const surface of surfaces) if (surface.isServed) await heard(surface, surface.ask(person.name));
  await heard(similar, similar.ask(wanted ?? { entity: person.name }));
  if ((now?.actions.length ?? 0) > 0) await learnGroups();
  if (turn !== asked) return [];
  problem('');
  const grouping = { groupsOf, own: groupsOf(person.name) };
  person.show(groupsOf);
  if (failures.has(similar)) similar.failed(failures.get(similar));
  else similar.show(grouping);
  return surfaces.map((surface) => {
    if (!failures.has(surface)) return surface.show(grouping, now?.actions ?? []);
    surface.failed(failures.get(surface));
    return { came: [], left: [] };
  });
}

/** Asks for the groups of what is shown and was not asked for yet. */
async function learnGroups() {
  const shown = [...person.entities, ...similar.entities, ...surfaces.flatMap(({ entities }) => entities)];
  const unknown = [...new Set(shown)].filter((entity) => !known.has(entity)).slice(0, GROUPS_AT_ONCE);
  if (unknown.length === 0) return;
  const answer = await groups(unknown).catch(() => undefined);
  if (answer === undefined) return;
  for (const entity of unknown) known.set(entity, answer.groups[entity] ?? []);
}

/**
 * Sends an event, and waits until the lists show it.
 * @param {string} action
 * @param {string} entity
 */
async function send(action, entity) {
  const began = performance.now();
  const by = user;
  const surface = surfaces.find(({ entities }) => entities.includes(entity));
  news(`${DONE[action]} ${entity}: on its way through Kafka …`);
  try {
    const { at } = await act(action, by, entity);
    const came = new Set();
    let left = 0;
    while (performance.now() - began < GIVE_UP_MS) {
      now = await status();
      const graph = now.graphs.find((each) => each.graph === surface?.graph);
      const isIn = (graph?.vectorsAsOf ?? 0) >= at;
      if (isIn || (left === 0 && (graph?.eventsAsOf ?? 0) >= at)) {
        const changes = await lists();
        for (const change of changes) for (const each of change.came) came.add(each);
        left ||= performance.now() - began;
      }
      if (by !== user) return;
      if (isIn) {
        const ms = performance.now() - began;
        person.took(entity, ms);
        person.show(groupsOf);
        const others = came.size === 1 ? '1 entity is new' : `${came.size} entities are new`;
        news(
          `${DONE[action]} ${entity}: out of the list after ${span(left)}, visible in the vectors after ${span(ms)}; ${others}.`,
        );
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, WATCH_MS));
    }
    news(`${DONE[action]} ${entity}: no vector with it after ${span(GIVE_UP_MS)}. Does the updater run?`);
  } catch (error) {
    news(`${DONE[action]} ${entity}: ${wordsOf(error)}`);
  }
}

/** @param {string} text */
function news(text) {
  place('news').textContent = text;
}

/** @param {string} text */
function problem(text) {
  place('problem').textContent = text;
}
