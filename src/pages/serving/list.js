// @ts-check
import { el, fill } from '../shared/elements.js';

/** @typedef {{ relation: string, share: number, near?: string | undefined }} Reason */
/** @typedef {{ shared: readonly string[], count: number }} Shared */
/** An entity of a list. @typedef {{ entity: string, score: number | null, reason?: Reason | Shared | undefined }} Shown */
/** @typedef {{ groupsOf: (entity: string) => readonly string[], own: readonly string[] }} Grouping */

/** How long an entity that came is marked. */
const MARKED_MS = 6_000;

/** A list of entities that says what changed. Its buttons stay where they are while the list is filled again. */
export class List {
  element = el('ol', { class: 'list' });
  /** @type {Map<string, { li: HTMLLIElement, place: number, since: number }>} */
  #known = new Map();
  /** @type {string | undefined} */
  #of = undefined;

  /**
   * @param {string} name of the list, for screen readers
   * @param {(what: string, entity: string) => void} chosen told of each button that is pressed: `show` or an action
   */
  constructor(name, chosen) {
    this.element.setAttribute('aria-label', name);
    this.element.addEventListener('click', ({ target }) => {
      const button = target instanceof Element ? target.closest('button') : null;
      const { what, entity } = button?.dataset ?? {};
      if (what !== undefined && entity !== undefined) chosen(what, entity);
    });
  }

  /**
   * Shows a list, and marks what was not in the list before, if that was one of the same.
   * @param {string} of what the list is of, such as the user
   * @param {readonly Shown[]} items
   * @param {Grouping} grouping
   * @param {string} [action] what the reader can do with an entity
   * @returns {{ came: string[], left: string[] }}
   */
  show(of, items, grouping, action) {
    const same = this.#of === of;
    this.#of = of;
    const now = Date.now();
    const before = this.#known;
    const focused = this.#focus();
    this.#known = new Map();
    for (const [place, item] of items.entries()) {
      const known = before.get(item.entity);
      const li = known?.li ?? el('li');
      const since = known?.since ?? (same ? now : 0);
      const marks = { isNew: now - since < MARKED_MS, up: same && known ? known.place - place : 0 };
      li.classList.toggle('came', marks.isNew);
      fill(li, ...content(item, grouping, marks, action));
      this.#known.set(item.entity, { li, place, since });
      if (this.element.children[place] !== li)
        this.element.insertBefore(li, this.element.children[place] ?? null);
    }
    while (this.element.children.length > items.length) this.element.lastElementChild?.remove();
    this.#refocus(focused);
    return {
      came: same ? items.map(({ entity }) => entity).filter((entity) => !before.has(entity)) : [],
      left: same ? [...before.keys()].filter((entity) => !this.#known.has(entity)) : [],
    };
  }

  /** The button of the list that has the focus. */
  #focus() {
    const { activeElement } = document;
    if (!(activeElement instanceof HTMLElement) || !this.element.contains(activeElement)) return undefined;
    const { what = '', entity = '' } = activeElement.dataset;
    return { what, entity, place: this.#known.get(entity)?.place ?? 0 };
  }

  /** @param {{ what: string, entity: string, place: number } | undefined} focused */
  #refocus(focused) {
    if (focused === undefined || this.element.contains(document.activeElement)) return;
    // The entity may have left: the one in its place comes next, and then the list's title.
    const li = this.#known.get(focused.entity)?.li ?? this.element.children[focused.place];
    const button = [...(li?.querySelectorAll('button') ?? [])].find(
      ({ dataset }) => dataset['what'] === focused.what,
    );
    const title = this.element.closest('section')?.querySelector('h2');
    (button ?? title)?.focus();
  }
}

/**
 * @param {Shown} item
 * @param {Grouping} grouping
 * @param {{ isNew: boolean, up: number }} marks
 * @param {string | undefined} action
 */
function content({ entity, score, reason }, { groupsOf, own }, { isNew, up }, action) {
  const groups = groupsOf(entity);
  const name = el(
    'button',
    {
      type: 'button',
      class: 'name',
      'data-what': 'show',
      'data-entity': entity,
      title: `What is similar to ${entity}`,
    },
    entity,
  );
  const label = action && `${action[0]?.toUpperCase()}${action.slice(1)}`;
  const act =
    label &&
    el(
      'button',
      {
        type: 'button',
        class: 'act',
        'data-what': action,
        'data-entity': entity,
        'aria-label': `${label} ${entity}`,
      },
      label,
    );
  const moved = up > 0 ? `↑ ${up}` : up < 0 ? `↓ ${-up}` : '';
  const mark = isNew ? 'new' : moved;
  const scored =
    score === null
      ? null
      : el(
          'span',
          { class: 'place', title: 'score: higher is better' },
          el('span', { class: 'unseen' }, 'score '),
          signed(score),
        );
  return [
    el('div', { class: 'entry' }, name, act || null),
    el(
      'p',
      { class: 'why' },
      el(
        'span',
        {},
        ...groups.map((group) => tag(group, own.includes(group))),
        mark === '' ? null : el('span', { class: 'mark' }, mark),
        reason === undefined ? null : el('span', {}, reasonOf(reason)),
      ),
      scored,
    ),
  ];
}

/** @param {Reason | Shared} reason */
function reasonOf(reason) {
  if ('shared' in reason) {
    const more = reason.count - reason.shared.length;
    return `shared: ${reason.shared.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
  }
  const { relation, share, near } = reason;
  const part = share < 0.995 ? ` (${Math.round(100 * share)} % of all)` : '';
  return `${relation}${part}${near === undefined ? '' : `, near ${near}`}`;
}

/** @param {number} score */
function signed(score) {
  return score.toFixed(2).replace('-', '−');
}

/**
 * @param {string} group
 * @param {boolean} own
 */
export function tag(group, own) {
  return el('span', { class: own ? 'tag own' : 'tag' }, group);
}
