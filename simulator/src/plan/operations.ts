import type { SyncPriority } from 'nexus-store';

/** Where the app keeps what: each collection has rules of its own, see `world/collections.ts`. */
export type CollectionName = 'notes' | 'tasks' | 'audit' | 'docs' | 'forms';

export const COLLECTION_NAMES: readonly CollectionName[] = [
  'notes',
  'tasks',
  'audit',
  'docs',
  'forms',
];

/** Where the command line runs; the app has the slots before it. */
export const TOOL_SLOT = 2;

/** Who may sign in; null is nobody. */
export type PrincipalName = 'ada' | 'bob' | null;

/** What one write does. `token` is unique in the plan, so that every write can be told from all others. */
export interface PlannedWrite {
  readonly kind: 'save' | 'patch' | 'delete' | 'command';
  readonly collection: CollectionName;
  readonly id: string;
  readonly token: number;
  /** The server refuses this value for good. */
  readonly isBad?: true;
  readonly priority?: SyncPriority;
  readonly ttlMs?: number;
  /** Sent before it is stored, or never sent. Default: stored, then sent. */
  readonly policy?: 'remote-first' | 'local-only';
  /** How far back among the known entries the prerequisite stands, in [0, 1). */
  readonly after?: number;
}

/** What the network or the server does to requests for a while. */
export type WeatherKind =
  | 'offline'
  | 'lossy'
  | 'slow'
  | 'portal'
  | 'throttled'
  | 'broken'
  | 'failing'
  | 'unauthorised'
  | 'forbidden'
  | 'outdated'
  | 'too-large'
  | 'doubled';

/** `power`: the power fails in the middle of a commit; only a file can be torn by that. */
export type StorageFault = 'fail-write' | 'fail-commit' | 'fail-read' | 'kill' | 'power';

/**
 * One step of a plan. Everything that happens in a run is such a step or drawn from the seed by the
 * world, so that a plan can be shortened and still be run.
 */
export type Operation =
  | { readonly do: 'write'; readonly slot: number; readonly write: PlannedWrite }
  | { readonly do: 'save-all'; readonly slot: number; readonly writes: readonly PlannedWrite[] }
  | {
      readonly do: 'transaction';
      readonly slot: number;
      readonly writes: readonly PlannedWrite[];
      /** The last writes stand in a transaction inside, which fails and is caught. */
      readonly undone: number;
      readonly throws: boolean;
      /** Each write is made on what the transaction has read before. */
      readonly reads?: true;
    }
  /** Several calls in one turn, none of them awaited before the next. */
  | { readonly do: 'race'; readonly slot: number; readonly writes: readonly PlannedWrite[] }
  /** The app is replaced by its next version, which writes and expects another schema. */
  | { readonly do: 'upgrade'; readonly slot: number }
  | {
      readonly do: 'cancel' | 'retry' | 'discard';
      readonly slot: number;
      readonly pick: number;
    }
  | { readonly do: 'retry-all'; readonly slot: number }
  | {
      readonly do: 'reprioritise';
      readonly slot: number;
      readonly pick: number;
      readonly priority: SyncPriority;
    }
  | {
      readonly do: 'resolve';
      readonly slot: number;
      readonly pick: number;
      readonly use: 'local' | 'remote' | 'merged';
      readonly token: number;
    }
  | { readonly do: 'pause' | 'resume' | 'wake' | 'refresh'; readonly slot: number }
  | {
      readonly do: 'sync';
      readonly slot: number;
      readonly budgetMs?: number;
      readonly deadlineMs?: number;
      readonly abortMs?: number;
    }
  /** A command line that knows none of the app's stores sends what waits, and ends. */
  | { readonly do: 'tool'; readonly budgetMs: number }
  | { readonly do: 'sign-in'; readonly slot: number; readonly principal: 'ada' | 'bob' }
  | {
      readonly do: 'sign-out';
      readonly slot: number;
      readonly pending: 'keep' | 'flush' | 'discard';
    }
  | {
      readonly do: 'read';
      readonly slot: number;
      readonly collection: CollectionName;
      readonly id: string;
      readonly how:
        | 'get'
        | 'all'
        | 'network-first'
        | 'network-only'
        | 'watch'
        | 'pending'
        | 'export';
    }
  | { readonly do: 'open' | 'close' | 'kill'; readonly slot: number }
  | { readonly do: 'power-loss'; readonly lost: number }
  | { readonly do: 'freeze'; readonly slot: number; readonly ms: number }
  | {
      readonly do: 'storage-fault';
      readonly slot: number;
      readonly fault: StorageFault;
      /** Strikes at the nth step from now. */
      readonly nth: number;
    }
  | { readonly do: 'kill-on-network'; readonly slot: number; readonly nth: number }
  | { readonly do: 'disk-full'; readonly ms: number }
  | { readonly do: 'clock-step'; readonly ms: number }
  | {
      readonly do: 'weather';
      readonly kind: WeatherKind;
      readonly ms: number;
      readonly strength: number;
    }
  | { readonly do: 'expire-tokens' }
  | { readonly do: 'expire-cursors' }
  | {
      readonly do: 'remote-edit';
      readonly principal: PrincipalName;
      readonly collection: CollectionName;
      readonly id: string;
      readonly kind: 'put' | 'delete';
      readonly token: number;
    };

/** A step with the time that passes before it. */
export type Step = Operation & { readonly gapMs: number };

/** How the world of one plan is made. */
export interface WorldSettings {
  readonly driftPpm: number;
  /** The chance that a step of the storage takes a while. */
  readonly storageDelay: number;
  /** Requests in flight, entries in a request, attempts before a dead letter. */
  readonly concurrency: number;
  readonly batchSize: number;
  readonly maxAttempts: number;
  readonly maxEntries: number;
  readonly requestTimeoutMs: number;
  readonly leaseMs: number;
  readonly autoSync: boolean;
  /** Losing power may undo the last commits. */
  readonly isRelaxed: boolean;
  /** About how many characters of payload one request carries. Default: the product's. */
  readonly maxBatchBytes?: number;
  /** Contexts listen to the server's hints. */
  readonly listens?: boolean;
  /** Fields are indexed, in each version of the app others. */
  readonly isIndexed?: boolean;
  /** The driver. Default: memory. */
  readonly storage?: 'memory' | 'sqlite';
  /** On the way of every request that carries this write something breaks, whatever the weather. */
  readonly poison?: { readonly token: number; readonly breaks: 'gateway' | 'silence' | 'page' };
  /** SQLite moves its log into the file after so many pages. Default: as the driver says. */
  readonly checkpointPages?: number;
}

export interface Plan {
  readonly seed: number;
  readonly settings: WorldSettings;
  readonly steps: readonly Step[];
}
