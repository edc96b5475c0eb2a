// @ts-check

/** @typedef {Node | string | number | null | undefined} Child */

/**
 * An element. Children are nodes or text: names from topics are never markup.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string>} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  for (const child of children)
    if (child != null) element.append(typeof child === 'number' ? String(child) : child);
  return element;
}

/**
 * Named values, side by side.
 * @param {readonly (readonly [name: string, value: string, title?: string])[]} figures
 */
export function tiles(figures) {
  return el(
    'dl',
    { class: 'tiles' },
    ...figures.map(([name, value, title]) =>
      el('div', title === undefined ? {} : { title }, el('dt', {}, name), el('dd', {}, value)),
    ),
  );
}

/**
 * @param {string} caption the content in words, for screen readers
 * @param {readonly string[]} head
 * @param {readonly (readonly Child[])[]} rows
 * @param {string} [kind] `words`: text in every column
 */
export function table(caption, head, rows, kind = 'numbers') {
  return el(
    'div',
    { class: 'scroll', tabindex: '0', role: 'group', 'aria-label': caption },
    el(
      'table',
      { class: kind, 'aria-label': caption },
      el('thead', {}, el('tr', {}, ...head.map((name) => el('th', { scope: 'col' }, name)))),
      el('tbody', {}, ...rows.map((row) => el('tr', {}, ...row.map(cellOf)))),
    ),
  );
}

/**
 * A cell; its title has what an ellipsis may hide.
 * @param {Child} content
 */
function cellOf(content) {
  return el('td', typeof content === 'string' ? { title: content } : {}, content);
}

/**
 * Content that the reader can unfold.
 * @param {string} summary
 * @param {boolean} open whether the content is unfolded at first
 * @param {...Node} content
 */
export function details(summary, open, ...content) {
  return el('details', open ? { open: '' } : {}, el('summary', {}, summary), ...content);
}

/** What words mean, a sentence each. @param {Readonly<Record<string, string>>} words */
export function meanings(words) {
  const pairs = Object.entries(words).flatMap(([word, text]) => [el('dt', {}, word), el('dd', {}, text)]);
  return details('? What the words mean', false, el('dl', { class: 'quiet' }, ...pairs));
}

/**
 * Replaces the content of a place. Equal content stays, and with it the reader's focus and selection.
 * @param {Element} place
 * @param {...Node} content
 */
export function fill(place, ...content) {
  const holder = el('div', {}, ...content);
  if (place.innerHTML === holder.innerHTML) return;
  place.replaceChildren(...holder.childNodes);
}

/**
 * A row of buttons, one of them pressed.
 * @param {Element} place
 * @param {readonly string[]} names
 * @param {string} chosen
 * @param {(name: string) => void} choose
 */
export function choice(place, names, chosen, choose) {
  const known = [...place.children].map((button) => button.textContent);
  if (known.join() !== names.join()) {
    place.replaceChildren(
      ...names.map((name) => {
        const button = el('button', { type: 'button' }, name);
        button.addEventListener('click', () => choose(name));
        return button;
      }),
    );
  }
  for (const button of place.children) {
    button.setAttribute('aria-pressed', String(button.textContent === chosen));
  }
}

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
export function place(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
}

/** The name after #; no name where it is not what `encodeURIComponent` gives. */
export function ofHash() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return '';
  }
}
