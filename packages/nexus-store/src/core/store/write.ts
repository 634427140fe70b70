import type { EntryRef } from '../model/entry.ts';
import type { SyncFailure } from '../model/outcome.ts';

/** The end of one write's journey. */
export type Settled =
  /** The server has it. `version` is null where the server has none, or where another context heard it. */
  | { readonly outcome: 'applied'; readonly version: string | null }
  /** It is a dead letter now, readable and retriable. */
  | { readonly outcome: 'dead'; readonly failure: SyncFailure }
  | { readonly outcome: 'cancelled' }
  /** A create and its delete met before either was sent: nothing was. */
  | { readonly outcome: 'vanished' }
  /** It met another version on the server, and the server's was taken. */
  | { readonly outcome: 'superseded' }
  /** It was never meant for the server: a write with the policy `local-only`. */
  | { readonly outcome: 'local' };

/** A write that is safe on this device. */
export interface Write<T> {
  /** As stored. */
  readonly value: T;
  /**
   * The entry that carries it to the server; null if none does: it is there already (`remote-first`), is never
   * sent (`local-only`), or has met the create that it takes back.
   */
  readonly entry: EntryRef | null;
  /**
   * Resolves with the write's fate. Follows the entry: a later write folded into the same entry shares
   * its fate, also of what another context did with it. Rejects only if the signal
   * aborts or the backend is closed first. A process of Node stays alive while it is awaited.
   */
  synced(options?: { readonly signal?: AbortSignal }): Promise<Settled>;
}
