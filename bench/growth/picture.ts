/** A curve, or several of one unit in one panel. */
export interface Panel {
  readonly title: string;
  readonly curves: readonly { readonly name: string; readonly values: readonly number[] }[];
}

const [WIDTH, HEIGHT, COLUMNS] = [340, 190, 2];
const PLOT = { left: 62, right: 12, top: 34, bottom: 30 };
const COLOURS = ['#1f6feb', '#d1442f'];

/** Panels over one axis, as an SVG of its own: white behind, so that it reads on a dark page too. x: of every value. */
export function picture(panels: readonly Panel[], x: readonly number[], xTitle: string): string {
  const rows = Math.ceil(panels.length / COLUMNS);
  const [width, height] = [COLUMNS * WIDTH, rows * HEIGHT];
  const parts = panels.map((panel, i) => {
    const at = `translate(${(i % COLUMNS) * WIDTH} ${Math.floor(i / COLUMNS) * HEIGHT})`;
    return `<g transform="${at}">${drawn(panel, x, xTitle)}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="11">`,
    `<title>${panels.map(({ title }) => title).join(', ')}, over ${xTitle}</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

function drawn({ title, curves }: Panel, x: readonly number[], xTitle: string): string {
  const most = roundedUp(Math.max(...curves.flatMap(({ values }) => values.filter(Number.isFinite)), 0));
  const last = x.at(-1) ?? 1;
  const [right, bottom] = [WIDTH - PLOT.right, HEIGHT - PLOT.bottom];
  const placeX = (value: number) => PLOT.left + (value / last) * (right - PLOT.left);
  const placeY = (value: number) => bottom - (value / most) * (bottom - PLOT.top);
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const y = placeY(share * most).toFixed(1);
    return (
      `<line x1="${PLOT.left}" x2="${right}" y1="${y}" y2="${y}" stroke="#ddd"/>` +
      `<text x="${PLOT.left - 6}" y="${y}" dy="4" text-anchor="end" fill="#555">${told(share * most)}</text>`
    );
  });
  const ends = [0, 0.5, 1].map(
    (share) =>
      `<text x="${placeX(share * last)}" y="${bottom + 15}" text-anchor="${share === 1 ? 'end' : 'middle'}" fill="#555">${told(share * last)}</text>`,
  );
  const lines = curves.map(({ values }, i) => {
    const points = values.flatMap((value, k) =>
      Number.isFinite(value) ? [`${placeX(x[k] ?? 0).toFixed(1)},${placeY(value).toFixed(1)}`] : [],
    );
    return `<polyline fill="none" stroke="${COLOURS[i]}" stroke-width="1.3" points="${points.join(' ')}"/>`;
  });
  const names =
    curves.length < 2 ? [] : curves.map(({ name }, i) => `<tspan fill="${COLOURS[i]}"> ${name}</tspan>`);
  return [
    `<text x="${PLOT.left}" y="20" font-weight="bold" fill="#222">${title}${names.join('')}</text>`,
    ...grid,
    ...ends,
    `<text x="${right}" y="${HEIGHT - 3}" text-anchor="end" fill="#555">${xTitle}</text>`,
    ...lines,
  ].join('\n');
}

/** The next of 1, 2, 4 and 8 times a power of ten. */
function roundedUp(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 2, 4, 8].find((step) => step * power >= value) ?? 10);
}

function told(value: number): string {
  return Number(value.toPrecision(4)).toLocaleString('en');
}
