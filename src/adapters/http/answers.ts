import type { ReadinessReport, Status } from './status.ts';
import type { Views } from './views.ts';

/** Where everything comes from that is served. */
export interface Answers {
  readonly metrics: { readonly contentType: string; render(): Promise<string> };
  /** The dashboard's files, by path. */
  readonly page: ReadonlyMap<string, { readonly type: string; readonly body: Buffer }>;
  readiness(): Promise<ReadinessReport>;
  status(): Promise<Status>;
  readonly views: Views;
}
