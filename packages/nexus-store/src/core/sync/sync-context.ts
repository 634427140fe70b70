import type { EntityId, Operation } from '../model/entry.ts';
import type { SyncEvent } from '../model/events.ts';
import type { ContextLink } from '../ports/context-link.ts';
import type { Remote } from '../ports/remote.ts';
import type { Runtime } from '../ports/runtime.ts';
import type { RulesOf } from '../queue/collection-rules.ts';
import type { Decides } from '../queue/undecided.ts';
import type { QueueLimits } from '../queue/enqueue.ts';
import type { Writer } from '../queue/writer.ts';
import type { ConflictStrategy } from './conflict-strategy.ts';
import type { EngineOptions } from './sync-options.ts';

/** Whose entries are sent: a partition of the storage and the stable id of its user. */
export interface Principal {
  readonly partition: number;
  /** null: nobody signed in. */
  readonly id: string | null;
}

/** A queued payload of an older app, on its way through `migrate`. */
export interface MigratedEntry {
  readonly id: EntityId;
  readonly operation: Operation;
  readonly command: string | null;
  readonly isPatch: boolean;
  readonly payload: unknown;
  /** The version the payload was written with. */
  readonly schemaVersion: number;
}

/** What the engine knows of a collection. */
export interface SyncedCollection {
  readonly name: string;
  readonly schemaVersion: number;
  readonly migrate: ((entry: MigratedEntry) => unknown) | undefined;
  /** Rows are fetched from the server too. */
  readonly isPulled: boolean;
}

/** What one `sync` did so far. */
export interface RunTotals {
  pushed: number;
  pulled: number;
  conflicts: number;
  dead: number;
}

/** What the engine works with. */
export interface SyncContext {
  readonly runtime: Runtime;
  readonly writer: Writer;
  readonly remote: Remote;
  /** False for a backend without a remote: nothing is ever sent. */
  readonly hasRemote: boolean;
  readonly options: EngineOptions;
  readonly limits: QueueLimits;
  readonly rulesOf: RulesOf;
  /** True in a background run without a screen. */
  readonly isHeadless: boolean;
  principal(): Principal;
  collection(name: string): SyncedCollection | undefined;
  collections(): readonly SyncedCollection[];
  /** How conflicts of a collection are decided; undefined: not here. */
  strategyOf(collection: string): ConflictStrategy<unknown> | undefined;
  /** The other contexts that have this database open. */
  link(): ContextLink;
  readonly emit: (event: SyncEvent) => void;
}

/** True for the collections whose conflicts this context decides. */
export function decidesIn(context: SyncContext): Decides {
  return (collection) => context.strategyOf(collection) !== undefined;
}

/** True if a run fetches something after it has sent what there was. */
export function pullsAnything(context: SyncContext): boolean {
  const { pull } = context.remote.capabilities;
  return pull && context.collections().some(({ isPulled }) => isPulled);
}
