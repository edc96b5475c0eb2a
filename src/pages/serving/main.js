// @ts-check
import { el, fill, meanings, ofHash, place } from '../shared/elements.js';
import { count, separated, span, time, total, typeOf } from '../shared/format.js';
import { act, groups, Refusal, random, status } from './api.js';
import { ListCard, Rank, Similar, wordsOf } from './cards.js';
import { questionsOf, relationsFrom, searchedOf, typesOf } from './questions.js';
import { Subject } from './subject.js';

const LISTS_MS = 5_000;
const STATUS_MS = 2_000;
/** While an event is on its way, the state is asked for so often, and so long. */
const [WATCH_MS, GIVE_UP_MS] = [100, 20_000];
/** Entities whose groups are asked for at once. */
const GROUPS_AT_ONCE = 100;
/** The type of an entity that is named by an id alone. */
const USER = 'user';

const input = /** @type {HTMLInputElement} */ (place('entity'));
const type = /** @type {HTMLSelectElement} */ (place('type'));
const query = /** @type {HTMLInputElement} */ (place('query'));
const searched = /** @type {HTMLSelectElement} */ (place('searched'));
const relation = /** @type {HTMLSelectElement} */ (place('rank-relation'));
const candidates = /** @type {HTMLTextAreaElement} */ (place('candidates'));
const subject = new Subject();
const similar = new Similar(chosen);
const rank = new Rank(chosen);
/** The lists for entities of the type that is shown. @type {ListCard[]} */
let cards = [];
/** What the cards were made of. */
let cardsOf = '';
const WORDS = {
  score: 'A higher score is better; only scores of one list can be compared.',
  'views (71 % of all)': 'The relation that speaks most for the item, and its share of the own edges.',
  near: 'The own target that is most like the item.',
  shared: 'Entities that have edges with both.',
};
const DONE = /** @type {Record<string, string>} */ ({ like: 'Liked', follow: 'Followed', click: 'Clicked' });

/** @type {import('./api.js').Status | undefined} */
let now;
let entity = '';
/** What the reader looks for; what is similar to the entity before that. @type {import('./cards.js').Wanted | undefined} */
let wanted;
let isLive = true;
/** An entity whose name was refused: asking again would change nothing. */
let wrong = '';
/** Number of the newest request for lists: an older answer is dropped. */
let asked = 0;
/** Groups of entities by name; only a demo has any. @type {Map<string, readonly string[]>} */
const known = new Map();
/** @param {string} name */
const groupsOf = (name) => known.get(name) ?? [];

place('who').addEventListener('submit', (event) => {
  event.preventDefault();
  choose(input.value.trim());
});
place('search').addEventListener('submit', (event) => {
  event.preventDefault();
  wanted = { query: query.value.trim(), type: searched.value };
  void lists();
});
place('rank-form').addEventListener('submit', (event) => {
  event.preventDefault();
  void ranked();
});
place('random').addEventListener('click', () => void chooseRandom());
place('live').addEventListener('click', () => {
  isLive = !isLive;
  place('live').setAttribute('aria-pressed', String(isLive));
});
addEventListener('hashchange', () => choose(ofHash()));
setInterval(() => {
  if (isLive && !document.hidden && now?.ready === true && entity !== '' && entity !== wrong) void lists();
}, LISTS_MS);
place('recent').after(meanings(WORDS));
void follow();

/** Asks for the state again and again, and for the first lists once they can be had. */
async function follow() {
  const wasReady = now?.ready === true;
  try {
    now = await status();
    showStatus(now);
    if (now.ready && entity === '') {
      if (ofHash() !== '') choose(ofHash());
      else if (now.graphs.some(({ vectors }) => (vectors[type.value] ?? 0) > 0)) await chooseRandom();
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
  const level = place('problem').textContent === '' ? 'ok' : 'wait';
  if (!ready) headline('wait', separated(`Reading: ${reasons.join('; ')}`));
  else if (stale.length > 0)
    headline(
      'warn',
      `The brokers are out of reach since ${time(Math.min(...stale))}`,
      'Lists are made of what was read before. docs/runbook.md#serving',
    );
  else headline(level, `${isLive ? 'Live' : 'Paused'}: ${count(vectors)} vectors of ${names}`);
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
  options(type, typesOf(graphs));
  options(searched, searchedOf(graphs));
  place('search').hidden = searched.options.length === 0;
  const about = `version ${version}${actions.length > 0 ? ', a demo: its buttons send events' : ''} — docs/serve.md, `;
  fill(place('about'), el('span', {}, about), el('a', { href: '/openapi.json' }, 'openapi.json'));
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

/** @param {HTMLSelectElement} select @param {readonly string[]} names */
function options(select, names) {
  const { value } = select;
  fill(select, ...names.map((name) => el('option', {}, name)));
  if (names.includes(value)) select.value = value;
}

async function chooseRandom() {
  try {
    choose((await random(type.value)).entity);
  } catch (error) {
    problem(wordsOf(error));
  }
}

/** @param {string} name */
function choose(name) {
  // A user may be named by the id alone.
  const whole = name === '' || name.includes(':') ? name : `${USER}:${name}`;
  if (whole === '' || whole === entity) return;
  problem('');
  entity = whole;
  wanted = undefined;
  input.value = entity;
  const hash = `#${encodeURIComponent(entity)}`;
  if (location.hash !== hash) history.replaceState(null, '', hash);
  news('');
  void lists();
}

/** The cards for entities of this type, as the graphs are now. @param {string} name */
function layOut(name) {
  const graphs = now?.graphs ?? [];
  const questions = questionsOf(name, graphs);
  const relations = relationsFrom(name, graphs).map((each) => each.name);
  options(relation, relations);
  place('rank').hidden = relations.length === 0;
  const made = JSON.stringify(questions);
  if (made === cardsOf) return;
  cardsOf = made;
  cards = questions.map((question) => new ListCard(question, chosen, () => void lists()));
  place('lists').replaceChildren(...cards.map(({ element }) => element));
}

async function ranked() {
  const named = candidates.value.split('\n').map((line) => line.trim());
  const to = relationsFrom(typeOf(subject.name), now?.graphs ?? []).find(
    ({ name }) => name === relation.value,
  )?.rhs;
  const given = named.filter((line) => line !== '');
  const shown = given.length > 0 ? given : (cards.find((card) => card.to === to)?.entities ?? []);
  await rank.ask(subject.name, relation.value, shown, { groupsOf, own: groupsOf(subject.name) });
}

/** @param {string} what @param {string} which */
function chosen(what, which) {
  if (what !== 'show') return void send(what, which);
  wanted = { entity: which };
  void lists();
}

/** Asks for all lists of the entity, one after the other: a busy server refuses many at once. Shows them together. */
async function lists() {
  const turn = ++asked;
  /** @type {Map<object, unknown>} */
  const failures = new Map();
  /** @param {object} who @param {Promise<unknown>} answer */
  const heard = (who, answer) => answer.catch((error) => void failures.set(who, error));
  await heard(subject, subject.ask(entity));
  if (failures.has(subject)) {
    const reason = failures.get(subject);
    if (reason instanceof Refusal && reason.code === 400) wrong = entity;
    if (turn === asked) problem(wordsOf(reason));
    return [];
  }
  if (turn !== asked) return [];
  layOut(typeOf(subject.name));
  const asking = cards;
  for (const card of asking) await heard(card, card.ask(subject.name));
  await heard(similar, similar.ask(wanted ?? { entity: subject.name }));
  if ((now?.actions.length ?? 0) > 0) await learnGroups();
  if (turn !== asked) return [];
  problem('');
  const grouping = { groupsOf, own: groupsOf(subject.name) };
  place('all-lists').hidden = false;
  subject.show(groupsOf, wanted !== undefined || failures.has(similar) || !similar.isUnknown);
  if (failures.has(similar)) similar.failed(failures.get(similar));
  else similar.show(grouping);
  return asking.map((card) => {
    if (!failures.has(card)) return card.show(grouping, now?.actions ?? []);
    card.failed(failures.get(card));
    return { came: [], left: [] };
  });
}

/** Asks for the groups of what is shown and was not asked for yet. */
async function learnGroups() {
  const shown = [...subject.entities, ...similar.entities, ...cards.flatMap(({ entities }) => entities)];
  const unknown = [...new Set(shown)].filter((each) => !known.has(each)).slice(0, GROUPS_AT_ONCE);
  if (unknown.length === 0) return;
  const answer = await groups(unknown).catch(() => undefined);
  if (answer === undefined) return;
  for (const each of unknown) known.set(each, answer.groups[each] ?? []);
}

/**
 * Sends an event, and waits until the lists show it.
 * @param {string} action
 * @param {string} which
 */
async function send(action, which) {
  const began = performance.now();
  const by = entity;
  const card = cards.find(({ entities }) => entities.some((each) => each === which));
  news(`${DONE[action]} ${which}: on its way through Kafka …`);
  try {
    const { at } = await act(action, by, which);
    const came = new Set();
    let left = 0;
    while (performance.now() - began < GIVE_UP_MS) {
      now = await status();
      const graph = now.graphs.find((each) => each.graph === card?.graph);
      const isIn = (graph?.vectorsAsOf ?? 0) >= at;
      if (isIn || (left === 0 && (graph?.eventsAsOf ?? 0) >= at)) {
        const changes = await lists();
        for (const change of changes) for (const each of change.came) came.add(each);
        left ||= performance.now() - began;
      }
      if (by !== entity) return;
      if (isIn) {
        const ms = performance.now() - began;
        subject.took(which, ms);
        subject.show(groupsOf, true);
        const others = came.size === 1 ? '1 entity is new' : `${came.size} entities are new`;
        news(
          `${DONE[action]} ${which}: out of the list after ${span(left)}, visible in the vectors after ${span(ms)}; ${others}.`,
        );
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, WATCH_MS));
    }
    news(`${DONE[action]} ${which}: no vector with it after ${span(GIVE_UP_MS)}. Does the updater run?`);
  } catch (error) {
    news(`${DONE[action]} ${which}: ${wordsOf(error)}`);
  }
}

/** @param {string} text */
function news(text) {
  place('news').textContent = text;
}

/** @param {string} text */
function problem(text) {
  place('problem').textContent = text;
  const { dataset } = place('headline');
  if (text !== '' && dataset['level'] === 'ok') dataset['level'] = 'wait';
}
