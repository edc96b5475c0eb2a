import type { EntityView } from '../../../adapters/http/views.ts';
import type { WireError } from '../../../adapters/wire-error.ts';
import type { StoreModel } from '../../../state/open.ts';

/** What the store alone says of an entity. */
export interface Found {
  readonly view: Omit<EntityView, 'movedBetween'>;
  /** Its step as the topic's headers have it; undefined where it has no vector. */
  readonly publishedStep: number | undefined;
}

/** What a lookup's thread is asked. */
export interface LookupRequest {
  readonly graph: StoreModel;
  readonly id: string;
}

/** What it says back, once. */
export type LookupReply =
  | { readonly kind: 'found'; readonly found: Found | undefined }
  | { readonly kind: 'failed'; readonly error: WireError };
