// @ts-check

import { el, fill, place } from '../shared/elements.js';
import { typeOf } from '../shared/format.js';

const COLOURS = 5;
const RADIUS = 3;

/** A sample of entities on the two directions of the largest differences. */
export class EmbeddingMap {
  #canvas = el('canvas', { class: 'map', role: 'img', 'aria-label': 'No entity yet' });
  #legend = el('ul', { class: 'legend' });
  #note = el('p', { class: 'quiet' });
  /** @type {readonly { entity: string, x: number, y: number, group?: string | undefined }[]} */
  #points = [];

  constructor() {
    place('map').append(this.#canvas, this.#legend, this.#note);
    new ResizeObserver(() => this.#draw()).observe(this.#canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#draw());
  }

  /** @param {import('./api.js').MapView} map */
  show({ points }) {
    this.#points = points;
    this.#draw();
  }

  #draw() {
    const types = [...new Set(this.#points.map(({ entity }) => typeOf(entity)))].sort();
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [this.#canvas.clientWidth, this.#canvas.clientHeight];
    this.#canvas.width = width * ratio;
    this.#canvas.height = height * ratio;
    const context = this.#canvas.getContext('2d');
    if (context === null || width === 0) return;
    context.scale(ratio, ratio);
    const style = getComputedStyle(document.documentElement);
    const extent = Math.max(1e-6, ...this.#points.map(({ x, y }) => Math.max(Math.abs(x), Math.abs(y))));
    const size = Math.min(width, height * 1.6) / 2 - 8;
    context.globalAlpha = 0.75;
    const groups = [...new Set(this.#points.map(({ group }) => group))]
      .filter((group) => group !== undefined)
      .sort();
    for (const { entity, x, y, group } of this.#points) {
      context.fillStyle =
        group === undefined
          ? style.getPropertyValue(`--${'abcde'[types.indexOf(typeOf(entity)) % COLOURS]}`)
          : `hsl(${(360 * groups.indexOf(group)) / groups.length} 70% 50%)`;
      context.beginPath();
      context.arc(
        width / 2 + (x / extent) * size,
        height / 2 - (y / extent) * (height / 2 - 8),
        RADIUS,
        0,
        2 * Math.PI,
      );
      context.fill();
    }
    const shown = groups.length > 0 ? [] : types;
    fill(
      this.#legend,
      ...shown.map((type, i) => el('li', {}, el('span', { class: `key c${i % COLOURS}` }), type)),
    );
    const text = `${this.#points.length} entities of ${types.length} ${types.length === 1 ? 'type' : 'types'} by the two directions in which they differ most${groups.length > 0 ? `, one colour for each of ${groups.length} communities` : ''}`;
    this.#canvas.setAttribute('aria-label', this.#points.length === 0 ? 'No entity yet' : text);
    this.#note.textContent =
      this.#points.length === 0 ? 'No entity yet.' : `${text}; near entities are alike.`;
  }
}
