import type { EntityView } from '../../../adapters/http/views.ts';
import type { WireError } from '../../../adapters/wire-error.ts';
import type { StoreModel } from '../../../state/open.ts';

/** What a lookup's thread is asked. */
export interface LookupRequest {
  readonly graph: StoreModel;
  readonly id: string;
}

/** What it says back, once. */
export type LookupReply =
  | { readonly kind: 'found'; readonly found: EntityView | undefined }
  | { readonly kind: 'failed'; readonly error: WireError };
