// @ts-check

const EVERY_MS = 5_000;

/**
 * What a graph has, asked for again and again while somebody looks. An answer that comes after another graph was chosen,
 * or none, changes nothing.
 * @template Answer
 * @param {(graph: string) => Promise<Answer>} ask
 * @param {(answer: Answer) => void} show
 * @returns {(graph: string) => void} chooses the graph
 */
export function polled(ask, show) {
  let graph = '';
  const read = async () => {
    if (graph === '' || document.hidden) return;
    const asked = graph;
    const answer = await ask(asked).catch(() => undefined);
    if (answer !== undefined && asked === graph) show(answer);
  };
  setInterval(() => void read(), EVERY_MS);
  return (chosen) => {
    if (chosen === graph) return;
    graph = chosen;
    void read();
  };
}
