// @ts-check
import { el } from '../shared/elements.js';
import { iso, STEPS } from '../shared/format.js';

const HEIGHT = 150;
/** A distance of this many usual distances between points is shown as a gap. */
const GAP = 3;

/** @typedef {import('../../adapters/http/status.ts').HistoryView} HistoryView */
/** @typedef {{ readonly curve: string, readonly label: string, readonly colour: string }} Line */

/** Curves over time, with names and newest values in a caption. */
export class Chart {
  /** @type {HTMLElement} */
  figure;
  #caption = el('figcaption');
  #canvas = el('div', { role: 'img' });
  #title;
  #lines;
  #format;
  /** @type {any} */
  #plot;
  /** @type {(readonly (number | null)[])[]} */
  #data = [];

  /**
   * @param {string} title
   * @param {readonly Line[]} lines
   * @param {(value: number | null | undefined) => string} format
   */
  constructor(title, lines, format) {
    this.#title = title;
    this.#lines = lines;
    this.#format = format;
    this.#canvas.setAttribute('aria-label', `${title}: nothing yet`);
    this.figure = el('figure', {}, this.#caption, this.#canvas);
    new ResizeObserver(() => this.#resize()).observe(this.figure);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#draw());
  }

  /** @param {HistoryView} history */
  show(history) {
    const columns = this.#lines.map(({ curve }) => history.curves[curve] ?? history.at.map(() => null));
    this.#data = withGaps([history.at.map((at) => at / 1000), ...columns]);
    const now = this.#lines.map(({ label }, i) => `${label} ${this.#format(columns[i]?.at(-1))}`).join(', ');
    this.#caption.replaceChildren(
      el('strong', {}, this.#title),
      ' ',
      ...this.#lines.flatMap(({ label, colour }, i) => {
        const key = el('span', { class: `key ${colour}` });
        return [el('span', { class: 'line' }, key, `${label} ${this.#format(columns[i]?.at(-1))}`), ' '];
      }),
    );
    this.#canvas.setAttribute('aria-label', `${this.#title}: ${history.at.length} points, now ${now}`);
    if (this.#plot === undefined) this.#draw();
    else this.#plot.setData(this.#data);
  }

  #draw() {
    if (this.#data.length === 0) return;
    this.#plot?.destroy();
    const style = getComputedStyle(document.documentElement);
    const ink = style.getPropertyValue('--quiet');
    const grid = { stroke: style.getPropertyValue('--line'), width: 1 };
    const axis = { stroke: ink, grid, ticks: grid };
    const options = {
      width: Math.max(200, this.figure.clientWidth),
      height: HEIGHT,
      cursor: { y: false },
      legend: { show: false },
      scales: {
        y: {
          range: (/** @type {any} */ _, /** @type {number} */ low, /** @type {number} */ high) =>
            bounds(low, high),
        },
      },
      axes: [
        { ...axis, size: 30, space: 70, values: clocks },
        {
          ...axis,
          size: 70,
          incrs: STEPS.get(this.#format),
          values: (/** @type {any} */ _, /** @type {number[]} */ values) => values.map(this.#format),
        },
      ],
      series: [
        {},
        ...this.#lines.map(({ label, colour }) => ({
          label,
          stroke: style.getPropertyValue(`--${'abcde'[Number(colour.slice(1))]}`),
          width: 1.5,
          points: { show: false },
        })),
      ],
    };
    // @ts-expect-error uPlot is a global of the script before this one
    this.#plot = new uPlot(options, this.#data, this.#canvas);
  }

  #resize() {
    this.#plot?.setSize({ width: Math.max(200, this.figure.clientWidth), height: HEIGHT });
  }
}

/**
 * The range starts at 0, so that the height of a curve shows its amount.
 * @param {number} low
 * @param {number} high
 */
function bounds(low, high) {
  return [Math.min(0, low ?? 0), high > 0 ? high * 1.1 : 1];
}

/** Hours and minutes, and seconds where ticks are nearer than a minute. @type {(...asked: any[]) => string[]} */
function clocks(...[, at, , , step]) {
  return at.map((/** @type {number} */ s) => iso(1_000 * s).slice(11, step < 60 ? 19 : 16));
}

/**
 * Adds an empty point wherever the distance between two points is a gap.
 * @param {readonly (readonly (number | null)[])[]} columns times first
 */
function withGaps(columns) {
  const at = columns[0] ?? [];
  const usual = Math.min(...at.slice(1).map((moment, i) => Number(moment) - Number(at[i])));
  const out = /** @type {(number | null)[][]} */ (columns.map(() => []));
  for (const [i, moment] of at.entries()) {
    const before = Number(at[i - 1]);
    if (i > 0 && Number(moment) - before > GAP * usual) {
      for (const [k, column] of out.entries()) column.push(k === 0 ? before + usual : null);
    }
    for (const [k, column] of out.entries()) column.push(columns[k]?.[i] ?? null);
  }
  return out;
}
