import type { LogAdmin, LogInfo, NewTopic, TopicState } from '../../pipeline/ports.ts';
import { readTopic, writeTopic } from './partition.ts';

/** Topics of a file log. Settings are kept but not acted on: nothing is ever compacted or expired. */
export class FileLogAdmin implements LogAdmin {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  async info(): Promise<LogInfo> {
    return { kind: 'file', address: `file:${this.#dir}`, version: 'embedded', nodes: [] };
  }

  async missing(names: readonly string[]): Promise<string[]> {
    const there = new Set((await this.describe(names)).map(({ name }) => name));
    return names.filter((name) => !there.has(name));
  }

  async describe(names: readonly string[]): Promise<TopicState[]> {
    const states = await Promise.all(names.map((name) => readTopic(this.#dir, name)));
    return states.filter((state) => state !== undefined);
  }

  async create(topics: readonly NewTopic[]): Promise<void> {
    for (const { name, partitions, configs } of topics) {
      if ((await readTopic(this.#dir, name)) === undefined) {
        await writeTopic(this.#dir, { name, partitions, configs });
      }
    }
  }

  async alterConfigs(name: string, configs: Readonly<Record<string, string>>): Promise<void> {
    const state = await readTopic(this.#dir, name);
    if (state !== undefined) {
      await writeTopic(this.#dir, { ...state, configs: { ...state.configs, ...configs } });
    }
  }

  async close(): Promise<void> {}
}
