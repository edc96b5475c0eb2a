import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import RocksDB from 'rocksdb-native';

/** The newest event of an edge, as stored. */
export interface EdgeBytes {
  readonly at: number;
  readonly removed: boolean;
}

/** A store, decoded here and nowhere else: the layout is read from its description alone. */
export interface StoreBytes {
  /** Whatever JSON the head's section `state` is. */
  readonly head: HeadJson;
  /** By `lhs relation rhs`, as found from the left and from the right. */
  readonly edges: ReadonlyMap<string, EdgeBytes>;
  readonly reverse: ReadonlyMap<string, EdgeBytes>;
  /** Row by entity. */
  readonly entities: ReadonlyMap<string, number>;
  /** The vector alone, little-endian float32, by row, as of the checkpoint. */
  readonly vectors: ReadonlyMap<number, Buffer>;
  /** Step of the checkpoint. */
  readonly step: number;
  /** Commits whose training is in the journal alone. */
  readonly journal: readonly number[];
  /** Time of erasure by the sha-256 of `type:id`, hex. */
  readonly erasures: ReadonlyMap<string, number>;
}

export interface HeadJson {
  readonly graph: string;
  readonly model: {
    readonly dim: number;
    readonly entityTypes: readonly string[];
    readonly relations: readonly { readonly name: string }[];
  };
  readonly step: number;
  readonly positions: Readonly<Record<string, Readonly<Record<string, { readonly offset: number }>>>>;
  readonly events: Readonly<Record<'consumed' | 'rejected' | 'duplicate' | 'late', number>>;
  readonly edges: Readonly<Record<string, number>>;
  readonly entities: Readonly<Record<string, number>>;
  readonly commit: number;
  readonly checkpoint: number;
  readonly outbox: number;
  readonly epoch?: number;
  readonly space?: string;
  readonly stepBase?: number;
  /** Of a shard alone. */
  readonly shard?: {
    readonly index: number;
    readonly count: number;
    readonly run: string;
    readonly trained: number;
    readonly received: Readonly<Record<string, { readonly run: string; readonly last: number }>>;
    readonly edges: Readonly<Record<string, number>>;
    readonly entities: Readonly<Record<string, number>>;
  };
}

const LETTERS = { head: 'm', names: 'n', states: 's', edge: 'e', reverse: 'i', journal: 'j', erased: 'x' };
/** Rows of a page of names, and what stands in place of a name. */
const [PAGE, NO_NAME] = [64n, 255];

/** The head alone. db: the folder with CURRENT in it. */
export async function readHeadBytes(db: string): Promise<HeadJson> {
  return opened(db, async (rocks) => {
    const batch = rocks.read({ autoDestroy: true });
    const value = batch.get(Buffer.from(LETTERS.head));
    await batch.flush();
    const bytes = await value;
    if (bytes === null) throw new Error('the store has no head');
    return headIn(bytes);
  });
}

/** 'twhin store', the format, then the section `state`: length of the name u8, version u16, length of the content u32, name, content. */
function headIn(bytes: Buffer): HeadJson {
  const content = 19 + bytes.readUInt8(12);
  return JSON.parse(bytes.toString('utf8', content, content + bytes.readUInt32LE(15)));
}

/** Reads every key of a store. db: the folder with CURRENT in it. */
export async function readStoreBytes(db: string): Promise<StoreBytes> {
  return opened(db, async (rocks) => {
    const entries: { key: Buffer; value: Buffer }[] = [];
    for await (const { key, value } of rocks.iterator({ gte: Buffer.alloc(1) }, { capacity: 512 })) {
      entries.push({ key: Buffer.from(key), value: Buffer.from(value) });
    }
    const found = decode(entries);
    return { ...found, ...(await readCheckpoint(db, found.head)) };
  });
}

/** The vectors of the checkpoint that the head names. */
async function readCheckpoint(
  db: string,
  { checkpoint, model: { dim } }: HeadJson,
): Promise<Pick<StoreBytes, 'vectors' | 'step'>> {
  const vectors = new Map<number, Buffer>();
  if (checkpoint === 0) return { vectors, step: 0 };
  const bytes = await readFile(join(db, `checkpoint-${checkpoint}`));
  // Before 'twhin checkpoint': the length of the footer and its checksum, four bytes each.
  const end = bytes.length - 24;
  const footer: { step: number; width: number; blocks: { at: number; rows: number }[] } = JSON.parse(
    bytes.toString('utf8', end - bytes.readUInt32LE(end), end),
  );
  for (const { at, rows } of footer.blocks) {
    for (let row = 0; row < rows; row++) {
      const from = at + row * footer.width * 4;
      vectors.set(vectors.size, bytes.subarray(from, from + dim * 4));
    }
  }
  return { vectors, step: footer.step };
}

/**
 * @throws where RocksDB's list of files changed while it was opened: RocksDB reads the list first, and then the logs that are there. A
 * process that starts between the two drops a log that the list of before still needs, and the store is seen as it was long ago.
 */
async function opened<T>(db: string, work: (rocks: RocksDB) => Promise<T>): Promise<T> {
  const before = await listedFiles(db);
  const rocks = new RocksDB(db, { readOnly: true });
  await rocks.ready();
  try {
    if ((await listedFiles(db)) !== before) throw new Error(`the files of ${db} changed while it was opened`);
    return await work(rocks);
  } finally {
    await rocks.close({ force: true });
  }
}

/** The name and size of RocksDB's list of files. */
async function listedFiles(db: string): Promise<string> {
  const list = (await readFile(join(db, 'CURRENT'), 'utf8')).trim();
  return `${list} ${(await stat(join(db, list))).size}`;
}

function decode(entries: readonly { key: Buffer; value: Buffer }[]): Omit<StoreBytes, 'vectors' | 'step'> {
  const kind = (letter: string) => entries.filter(({ key }) => key.toString('latin1', 0, 1) === letter);
  const known = new Set(Object.values(LETTERS));
  const strange = entries.find(({ key }) => !known.has(key.toString('latin1', 0, 1)));
  if (strange) throw new Error(`the store holds a key of no kind: ${strange.key.toString('hex')}`);
  const [headEntry] = kind(LETTERS.head);
  if (headEntry === undefined) throw new Error('the store has no head');
  const head = headIn(headEntry.value);
  const names = new Names(head);
  const edge = (value: Buffer): EdgeBytes => ({ at: value.readDoubleLE(0), removed: value[8] === 1 });
  return {
    head,
    edges: new Map(
      kind(LETTERS.edge).map(({ key, value }) => {
        const { first, relation, second } = names.joined(key);
        return [`${first} ${relation} ${second}`, edge(value)];
      }),
    ),
    reverse: new Map(
      kind(LETTERS.reverse).map(({ key, value }) => {
        const { first, relation, second } = names.joined(key);
        return [`${second} ${relation} ${first}`, edge(value)];
      }),
    ),
    entities: entitiesOf(kind(LETTERS.names), kind(LETTERS.states), names),
    journal: kind(LETTERS.journal).map(({ key }) => Number(key.readBigUInt64BE(1))),
    erasures: new Map(
      kind(LETTERS.erased).map(({ key, value }) => [key.toString('hex', 1), value.readDoubleLE(0)]),
    ),
  };
}

/** Row by entity. @throws for one twice, and for one whose newest state is impossible. */
function entitiesOf(
  pages: readonly { key: Buffer; value: Buffer }[],
  stated: readonly { key: Buffer; value: Buffer }[],
  names: Names,
): Map<string, number> {
  const rows = new Map<string, number>();
  for (const { key, value } of pages) {
    let row = Number(PAGE * key.readBigUInt64BE(1));
    for (let at = 0; at < value.length; row++) {
      const { name, end } =
        value[at] === NO_NAME ? { name: undefined, end: at + 1 } : names.entity(value, at);
      if (name !== undefined && rows.has(name)) throw new Error(`${name} has two rows`);
      if (name !== undefined) rows.set(name, row);
      at = end;
    }
  }
  const seen = new Map<number, { first: number; last: number }>();
  for (const { value } of stated) {
    const [from = 0, to = 0, touched = 0] = [4, 8, 12].map((at) => value.readUInt32LE(at));
    const count = touched + to - from;
    for (let i = 0, at = 16; i < count; i++, at += 24) {
      const row = i < touched ? value.readUInt32LE(16 + 24 * count + 4 * i) : from + i - touched;
      seen.set(row, { first: value.readDoubleLE(at + 8), last: value.readDoubleLE(at + 16) });
    }
  }
  for (const [name, row] of rows) {
    const { first = Number.NaN, last = Number.NaN } = seen.get(row) ?? {};
    if (!(first > 0 && first <= last))
      throw new Error(`${name} on row ${row} was seen from ${first} to ${last}`);
  }
  return rows;
}

/** Entities inside keys: a byte for the type, one for the id's length less one, the id. */
class Names {
  readonly #head: HeadJson;

  constructor(head: HeadJson) {
    this.#head = head;
  }

  entity(key: Buffer, start: number): { name: string; end: number } {
    const type = this.#head.model.entityTypes[key[start] ?? 255];
    const end = start + 2 + (key[start + 1] ?? 0) + 1;
    return { name: `${type}:${key.toString('utf8', start + 2, end)}`, end };
  }

  joined(key: Buffer): { first: string; relation: string; second: string } {
    const first = this.entity(key, 1);
    const relation = this.#head.model.relations[key[first.end] ?? 255];
    const second = this.entity(key, first.end + 1);
    if (relation === undefined || second.end !== key.length)
      throw new Error(`a key that names no edge: ${key.toString('hex')}`);
    return { first: first.name, relation: relation.name, second: second.name };
  }
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
