import type { EntityIndex } from '../graph/entity-index.ts';
import { fingerprint } from '../graph/head.ts';
import { namesIn } from '../graph/outbox.ts';
import { Counters } from './counters.ts';
import { EntitySample } from './entity-sample.ts';
import { ImageKeeper } from './loading/image.ts';
import { recover } from './loading/recovery.ts';
import { LaterCheck } from './loading/whole.ts';
import { noMeasures } from './measures.ts';
import { Ingest } from './reading/ingest.ts';
import { Lag } from './reading/lag.ts';
import { Positions } from './reading/positions.ts';
import type { UpdaterOptions } from './updater-options.ts';
import { Committer } from './writing/committer.ts';
import { Publisher } from './writing/publish.ts';
import { TopicWatch } from './writing/topic-watch.ts';
import { Writer } from './writing/writer.ts';

/** What an updater is made of once its store is loaded. */
export interface Parts {
  readonly index: EntityIndex;
  readonly counters: Counters;
  /** Next offsets: of what was applied, and of what was taken from the source. */
  readonly read: Positions;
  readonly accepted: Positions;
  readonly lag: Lag;
  readonly sample: EntitySample;
  readonly ingest: Ingest;
  readonly publisher: Publisher;
  readonly committer: Committer;
  readonly writer: Writer;
  readonly watch: TopicWatch;
  readonly image: ImageKeeper;
  /** Where the store was not counted as it was loaded. */
  readonly laterCheck: LaterCheck | undefined;
}

/** Loads the store and puts an updater together on it. failed: publishing or reading can't go on. */
export async function assemble(options: UpdaterOptions, failed: (error: Error) => void): Promise<Parts> {
  const { graph, model, store, trainer, source, sink, topics, limits, tuning, clock, log } = options;
  const { measures = noMeasures } = options;
  const began = clock();
  const view = await options.view?.();
  const loaded = await recover(store, trainer, graph, model, clock, { view, image: options.image }).catch(
    async (error: unknown) => {
      await view?.close().catch(() => undefined);
      throw error;
    },
  );
  const { head, index, outbox, erasedAt, took } = loaded;
  const laterCheck = loaded.uncounted && view && head ? new LaterCheck(view, head, failed) : undefined;
  void (laterCheck?.done() ?? Promise.resolve()).then(() => view?.close()).catch(failed);
  const image = new ImageKeeper({ graph, image: options.image, store, trainer, index, log, clock });
  const counters = new Counters(head);
  const writer = new Writer(head, options.role, options.freshSpace);
  const ingest = new Ingest({ store, index, counters, erasedAt, topics, limits });
  const publisher = new Publisher({
    ...{ store, index, sink, clock, log, measures, failed, writer, outbox },
    topic: options.embeddingsTopic,
    header: { graph, dim: model.dim, dtype: 'float32', fingerprint: fingerprint(model) },
    step: () => committer.step,
    watermark: () => committer.watermark,
  });
  const committer: Committer = new Committer(
    {
      ...{ graph, model, store, trainer, index, counters, publisher, sink, writer, clock, log, measures },
      tuning,
      overlay: ingest.overlay,
      tell: async (offsets) => {
        await image.outdated();
        if (publisher.open) await source.commit(offsets, writer.note(committer.step));
      },
      confirm: () => (publisher.open && options.role !== 'shadow' ? source.confirm() : Promise.resolve()),
    },
    head,
  );
  log.info(
    {
      ...{ graph, entities: index.size, step: head?.step ?? 0, outbox: namesIn(outbox).size },
      ...{ ms: clock() - began, ...(head && took) },
    },
    head ? 'store loaded' : 'store is new',
  );
  const [read, accepted] = [new Positions(head?.offsets), new Positions(head?.offsets)];
  const lag = new Lag({ graph, source, read, log, clock });
  const watch = new TopicWatch({ source, writer, clock, failed });
  const sample = new EntitySample(store, index);
  return {
    index,
    counters,
    read,
    accepted,
    lag,
    sample,
    image,
    laterCheck,
    ingest,
    publisher,
    committer,
    writer,
    watch,
  };
}
