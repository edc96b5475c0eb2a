import type { TopicRecord } from '../../e2e/topic-reader.ts';
import type { EdgeBytes, StoreBytes } from './store-bytes.ts';
import type { Bounds, Truth } from './truth.ts';

/** Differences of a kind that are told one by one; the rest are counted. */
const TOLD = 5;

/** What differs between the store and the truth, a line each; empty where all is right. */
export function compareStore(stored: StoreBytes, truth: Truth): string[] {
  const { head } = stored;
  const live = [...truth.edges].filter(([, { removed }]) => !removed);
  const byRelation = counted(live.map(([name]) => name.split(' ')[1] ?? ''));
  const byType = counted([...stored.entities.keys()].map((name) => name.slice(0, name.indexOf(':'))));
  return [
    ...outside('events consumed', head.events.consumed, truth.consumed),
    ...outside('events rejected', head.events.rejected, truth.rejected),
    ...outside('events duplicate', head.events.duplicate, truth.duplicate),
    ...outside('events late', head.events.late, truth.late),
    ...mapsDiffer('edge', stored.edges, truth.edges, sameEdge),
    ...mapsDiffer('edge seen from the right', stored.reverse, stored.edges, sameEdge),
    ...countsDiffer('live edges', head.edges, byRelation),
    ...countsDiffer('entities', head.entities, byType),
    ...some(
      [...truth.entities.sure].filter((name) => !stored.entities.has(name)),
      (name) => `entity ${name} is not in the store`,
    ),
    ...some(
      [...stored.entities.keys()].filter((name) => !truth.entities.possible.has(name)),
      (name) => `entity ${name} is in the store and was never named, or is erased`,
    ),
    ...mapsDiffer('erasure', stored.erasures, truth.erasures, (a, b) => a === b),
    ...differs('rows that two entities have', stored.entities.size, new Set(stored.entities.values()).size),
    ...differs('vectors that are not published, as the head has it', head.outbox, 0),
    ...differs('commits after the checkpoint', head.commit - head.checkpoint, 0),
    ...differs('commits in the journal', stored.journal.length, 0),
  ];
}

/** What differs between the store's offsets and where the topics end. */
export function compareOffsets(
  stored: StoreBytes,
  ends: ReadonlyMap<string, ReadonlyMap<number, number>>,
): string[] {
  return [...ends].flatMap(([topic, partitions]) =>
    [...partitions].flatMap(([partition, end]) =>
      differs(`offset of ${topic}/${partition}`, stored.head.positions[topic]?.[partition]?.offset ?? 0, end),
    ),
  );
}

/** What differs between the last record of each key and the store, byte for byte. */
export function compareTopic(
  stored: Pick<StoreBytes, 'entities' | 'vectors' | 'step'>,
  records: readonly TopicRecord[],
): string[] {
  const last = new Map(records.map((record) => [String(record.key), record]));
  const problems: string[] = [];
  for (const [name, row] of stored.entities) {
    const vector = stored.vectors.get(row);
    const record = last.get(name);
    if (vector === undefined) problems.push(`${name} has no vector in the store`);
    else if (record === undefined) problems.push(`${name} is in the store, not in the topic`);
    else if (record.value === null) problems.push(`${name} is in the store, and a tombstone in the topic`);
    else if (!record.value.equals(vector))
      problems.push(
        `${name} has other bytes in the topic, ${at(record)}, than in the store, of step ${stored.step}`,
      );
  }
  for (const [name, record] of last) {
    if (record.value !== null && !stored.entities.has(name))
      problems.push(`${name} is in the topic, not in the store, ${at(record)}`);
  }
  return some(problems, (problem) => problem);
}

/** The same for the model topic: row 2r is relation r, and row 2r + 1 its inverse. */
export function compareRelations(
  { head, vectors, step }: StoreBytes,
  records: readonly TopicRecord[],
): string[] {
  const rows = head.model.relations.flatMap(({ name }, relation): [string, number][] => [
    [`relation:${name}`, 2 * relation],
    [`relation:${name}/inverse`, 2 * relation + 1],
  ]);
  return compareTopic({ entities: new Map(rows), vectors, step }, records);
}

/** Keys whose step fell over the topic, or that had two vectors of one step. */
export function compareSteps(records: readonly TopicRecord[]): string[] {
  const last = new Map<string | null, TopicRecord>();
  const problems: string[] = [];
  for (const record of records) {
    const before = last.get(record.key);
    last.set(record.key, record);
    const is = Number(record.headers['step']);
    if (!Number.isSafeInteger(is)) problems.push(`${record.key} has no step, ${at(record)}`);
    if (before === undefined) continue;
    const was = Number(before.headers['step']);
    if (is < was) problems.push(`${record.key} went back from step ${was} to ${is}, ${at(record)}`);
    if (is === was && !sameBytes(record.value, before.value))
      problems.push(`${record.key} has two vectors of step ${is}, ${at(record)}`);
  }
  return some(problems, (problem) => problem);
}

/** Records of an epoch that was over in their partition, or of two spaces in one epoch. */
export function compareEpochs(records: readonly TopicRecord[]): string[] {
  const epochs = new Map<number, number>();
  const spaces = new Map<number, string>();
  return records.flatMap(({ partition, offset, headers }) => {
    const [epoch, space] = [Number(headers['epoch']), headers['space'] ?? ''];
    const last = epochs.get(partition) ?? 0;
    epochs.set(partition, Math.max(last, epoch));
    if (epoch < last) return [`${partition}/${offset} is of epoch ${epoch}, after ${last}`];
    if ((spaces.get(epoch) ?? space) !== space)
      return [`${partition}/${offset}: another space in epoch ${epoch}`];
    spaces.set(epoch, space);
    return [];
  });
}

/** What differs between the dead letters and the bad records, by where they came from and by the graph that read them. */
/** Of a longer value, a dead letter has so many bytes. */
const LETTER_BYTES = 900_000;

export function compareLetters(
  letters: readonly TopicRecord[],
  bad: readonly (TopicRecord & { readonly code: string; readonly graph: string })[],
  mostBytes = Number.POSITIVE_INFINITY,
): { problems: string[]; repeated: number } {
  const expected = new Map(
    bad.map((record) => [`${record.topic}/${record.partition}/${record.offset} in ${record.graph}`, record]),
  );
  const seen = new Set<string>();
  const problems: string[] = [];
  let repeated = 0;
  for (const { headers, key, value } of letters) {
    const from = `${headers['source-topic']}/${headers['source-partition']}/${headers['source-offset']} in ${headers['graph']}`;
    const original = expected.get(from);
    const bytes = original?.value?.length ?? 0;
    // Of a record that is longer than its topic takes letters, its place and its lengths are left.
    const whole = bytes > mostBytes ? { key: null, value: null, headers: {} } : original;
    if (seen.has(from)) repeated++;
    seen.add(from);
    if (original === undefined)
      problems.push(`a dead letter of ${from}, which is not bad: ${headers['reason']}`);
    else if (headers['code'] !== original.code)
      problems.push(`the dead letter of ${from} says ${headers['code']}, not ${original.code}`);
    else if (!sameBytes(value, whole?.value?.subarray(0, LETTER_BYTES) ?? null) || key !== whole?.key)
      problems.push(`the dead letter of ${from} has other bytes`);
    else if (headers['value-bytes'] !== String(original.value?.length ?? 'none'))
      problems.push(`the dead letter of ${from} says ${headers['value-bytes']} bytes, not ${bytes}`);
    else if (Object.entries(whole.headers).some(([name, text]) => headers[name] !== text))
      problems.push(`the dead letter of ${from} has lost a header`);
  }
  for (const from of expected.keys()) if (!seen.has(from)) problems.push(`no dead letter of ${from}`);
  return { problems: some(problems, (problem) => problem), repeated };
}

export function some<T>(found: readonly T[], line: (one: T) => string): string[] {
  const more = found.length > TOLD ? [`… and ${found.length - TOLD} more such`] : [];
  return [...found.slice(0, TOLD).map(line), ...more];
}

export function differs(what: string, is: number, wanted: number): string[] {
  return is === wanted ? [] : [`${what}: ${is}, not ${wanted}`];
}

function outside(what: string, is: number, [least, most]: Bounds): string[] {
  return is >= least && is <= most
    ? []
    : [`${what}: ${is}, not ${least === most ? least : `${least} to ${most}`}`];
}

export function countsDiffer(
  what: string,
  is: Readonly<Record<string, number>>,
  wanted: Readonly<Record<string, number>>,
): string[] {
  const names = new Set([...Object.keys(is), ...Object.keys(wanted)]);
  return [...names].flatMap((name) => differs(`${what} of ${name}`, is[name] ?? 0, wanted[name] ?? 0));
}

function mapsDiffer<T>(
  what: string,
  is: ReadonlyMap<string, T>,
  wanted: ReadonlyMap<string, T>,
  same: (a: T, b: T) => boolean,
): string[] {
  const problems: string[] = [];
  for (const [name, value] of wanted) {
    const found = is.get(name);
    if (found === undefined) problems.push(`${what} ${name} is missing`);
    else if (!same(found, value))
      problems.push(`${what} ${name} is ${JSON.stringify(found)}, not ${JSON.stringify(value)}`);
  }
  for (const name of is.keys()) if (!wanted.has(name)) problems.push(`${what} ${name} should not be there`);
  return some(problems, (problem) => problem);
}

function sameEdge(a: EdgeBytes, b: EdgeBytes): boolean {
  return a.at === b.at && a.removed === b.removed;
}

function sameBytes(a: Buffer | null, b: Buffer | null): boolean {
  return a === null || b === null ? a === b : a.equals(b);
}

export function counted(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

function at({ partition, offset, headers }: TopicRecord): string {
  return `at ${partition}/${offset}, step ${headers['step']}`;
}
