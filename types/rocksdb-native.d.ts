/** The part of rocksdb-native 3.18.1 we use; the package brings no types. */
declare module 'rocksdb-native' {
  type Bytes = Uint8Array;

  interface RangeOptions {
    gt?: Bytes;
    gte?: Bytes;
    lt?: Bytes;
    lte?: Bytes;
    reverse?: boolean;
    limit?: number;
    keys?: boolean;
    values?: boolean;
  }

  interface ReadBatch {
    get(key: Bytes): Promise<Buffer | null>;
    flush(): Promise<void>;
    tryFlush(): void;
    destroy(): void;
  }

  interface WriteBatch {
    put(key: Bytes, value: Bytes): Promise<void>;
    tryPut(key: Bytes, value: Bytes): void;
    tryDelete(key: Bytes): void;
    tryDeleteRange(start: Bytes, end: Bytes): void;
    flush(): Promise<void>;
    destroy(): void;
  }

  interface Entry {
    key: Buffer;
    value: Buffer;
  }

  /** A streamx Readable: ends with `close`, after `error` where it failed. */
  interface EntryStream extends NodeJS.EventEmitter, AsyncIterable<Entry> {
    /** null: nothing has come yet, or no more will. */
    read(): Entry | null;
    destroy(): void;
  }

  class RocksDB {
    constructor(path: string, options?: Record<string, unknown>);
    ready(): Promise<void>;
    close(options?: { force?: boolean }): Promise<void>;
    read(options?: { autoDestroy?: boolean; capacity?: number }): ReadBatch;
    write(options?: { autoDestroy?: boolean; capacity?: number }): WriteBatch;
    iterator(range: RangeOptions, options?: { capacity?: number }): EntryStream;
    flush(): Promise<void>;
    approximateSize(start: Bytes, end: Bytes): Promise<number>;
    /** A property of RocksDB's own, as text; undefined where it has none of the name. */
    getProperty(name: string): Promise<string | undefined>;
  }

  class ColumnFamily {
    constructor(name: string, options?: Record<string, unknown>);
  }

  class BloomFilterPolicy {
    constructor(bitsPerKey: number);
  }

  export { BloomFilterPolicy, ColumnFamily };
  export default RocksDB;
}
