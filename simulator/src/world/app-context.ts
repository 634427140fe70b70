import { createBackend, NexusStore, type Runtime, type StoreBackend } from 'nexus-store';
import { httpRemote } from 'nexus-store/http';
import type { SeededRandom, VirtualProcess, VirtualRuntime } from 'nexus-store/testing';
import {
  COLLECTION_NAMES,
  TOOL_SLOT,
  type CollectionName,
  type PlannedWrite,
  type StorageFault,
  type WorldSettings,
} from '../plan/operations.ts';
import {
  applyCommand,
  COLLECTIONS,
  mergeCommands,
  migratedPayload,
  type Value,
} from './collections.ts';
import type { Watch } from '../checkers/views.ts';
import type { Change, Commit, Disk } from './disk.ts';
import type { Network, NetworkClient } from './network.ts';
import { SimStorage } from './sim-storage.ts';

export type SyncEvent = Parameters<Parameters<StoreBackend['on']>[0]>[0];

export interface ContextWitness {
  onEvent(context: AppContext, event: SyncEvent): void;
  onCommit(context: AppContext, commit: Commit): void;
  onFault(context: AppContext, fault: StorageFault | 'disk-full'): void;
  onLog(context: AppContext, level: string, message: string, fields: unknown): void;
  onDeath(context: AppContext, why: string): void;
  /** The power fails in the middle of this commit. */
  onPowerFailing(context: AppContext, changes: readonly Change[]): void;
  onPowerFailed(): void;
}

export interface ContextParts {
  readonly runtime: VirtualRuntime;
  readonly disk: Disk;
  readonly network: Network;
  readonly random: SeededRandom;
  readonly settings: WorldSettings;
  readonly witness: ContextWitness;
  /** A frozen context may hold the database, and so every other context. */
  readonly isAnyoneFrozen: () => boolean;
  /** The version of the app that is started now. */
  readonly appVersion: () => number;
}

const URL = 'https://sim.example/sync';

const INDEXES = [['a'], [], ['token', 'b'], ['b', 'a']] as const;

/** One running app: a process with the product in it, which can die at any moment. */
export class AppContext implements NetworkClient {
  readonly slot: number;
  readonly name: string;
  readonly backend: StoreBackend;
  readonly stores: Readonly<Record<CollectionName, NexusStore<Value>>>;
  readonly storage: SimStorage;
  readonly process: VirtualProcess;
  readonly bornAt: number;
  /** When each of its timers is due, on the monotonic clock. */
  readonly timers = new Map<object, number>();
  /** Calls of the app that have not come back, by what they do. */
  readonly calls = new Set<{ readonly label: string; readonly begunAt: number }>();
  /** What its writes under way are to change. */
  readonly writing = new Set<readonly PlannedWrite[]>();
  readonly watches: Watch[] = [];
  /** The version of the app. */
  readonly version: number;
  isClosed = false;
  isFrozen = false;
  thawedAt = -Infinity;
  /** A sync run is under way. */
  isRunning = false;
  runStartedAt = -Infinity;
  diedAt = Infinity;
  /** It was frozen, or the clock was moved, in the middle of its run: others may have taken over. */
  wasAbsent = false;
  /** When the last fault of its storage struck. */
  faultAt = -Infinity;
  /** Other contexts have committed since it looked. */
  isBehind = false;
  readonly #parts: ContextParts;
  /** It knows none of the app's collections, and does nothing by itself. */
  readonly isTool: boolean;
  readonly #tokens = new Map<string, string>();
  #networkKills: number[] = [];
  #isDying = false;

  constructor(slot: number, number: number, parts: ContextParts) {
    const { runtime, settings } = parts;
    this.slot = slot;
    this.isTool = slot === TOOL_SLOT;
    this.name = `c${slot}.${number}`;
    this.#parts = parts;
    this.bornAt = runtime.clock.elapsed();
    this.version = parts.appVersion();
    this.process = runtime.createProcess();
    this.storage = new SimStorage(parts.disk, {
      runtime: this.process,
      random: parts.random,
      delayChance: settings.storageDelay,
      after: (ms, callback) => this.after(ms, callback),
      die: (why) => this.dieSoon(why),
      onFault: (fault) => {
        this.faultAt = runtime.clock.elapsed();
        parts.witness.onFault(this, fault);
      },
      onCommit: (commit) => parts.witness.onCommit(this, commit),
      failPower: (changes) => parts.witness.onPowerFailing(this, changes),
      powerFailed: () => parts.witness.onPowerFailed(),
    });
    this.backend = createBackend({
      storage: this.storage,
      remote: httpRemote({
        url: URL,
        events: !this.isTool && (settings.listens ?? false),
        pull: !this.isTool,
        fetch: this.#fetch(),
        headers: async ({ principal }) => ({
          authorization: `Bearer ${await this.#token(principal ?? 'nobody')}`,
        }),
        refreshCredentials: async ({ principal }) => {
          const name = principal ?? 'nobody';
          this.#tokens.set(name, await parts.network.freshToken(name));
        },
      }),
      runtime: this.#watchedRuntime(),
      autoSync: settings.autoSync && !this.isTool,
      concurrency: settings.concurrency,
      batchSize: settings.batchSize,
      ...(settings.maxBatchBytes === undefined ? {} : { maxBatchBytes: settings.maxBatchBytes }),
      maxAttempts: settings.maxAttempts,
      requestTimeout: settings.requestTimeoutMs,
      lease: settings.leaseMs,
      limits: { maxEntries: settings.maxEntries },
    });
    // A kill between any two of them must find the rest discarded as well.
    this.backend.eraseInStepsOf(2);
    this.backend.on((event) => {
      if (event.type === 'sync-started') {
        this.isRunning = true;
        this.runStartedAt = runtime.clock.elapsed();
        this.wasAbsent = parts.isAnyoneFrozen();
      }
      if (event.type === 'sync-finished') this.isRunning = false;
      parts.witness.onEvent(this, event);
    });
    const names = this.isTool ? [] : COLLECTION_NAMES;
    this.stores = Object.fromEntries(names.map((name) => [name, this.#store(name)])) as Record<
      CollectionName,
      NexusStore<Value>
    >;
  }

  get isAlive(): boolean {
    return this.process.isAlive && !this.#isDying;
  }

  /** Runs in the context's own time, seen by nobody as a timer of the product. */
  isWriting(collection: string, id: string): boolean {
    return [...this.writing].some((planned) =>
      planned.some((one) => one.collection === collection && one.id === id),
    );
  }

  after(ms: number, callback: () => void): void {
    this.process.timers.after(ms, callback);
  }

  killOnNetwork(nth: number): void {
    this.#networkKills.push(nth);
  }

  /** Dies once everything of this moment has happened: whoever asks for it waits for ever. */
  dieSoon(why: string): void {
    if (!this.isAlive) return;
    this.#isDying = true;
    this.#parts.runtime.timers.after(0, () => this.#end(why));
  }

  kill(why: string): void {
    if (this.isAlive) this.#end(why);
  }

  #end(why: string): void {
    this.#isDying = true;
    this.diedAt = this.#parts.runtime.clock.elapsed();
    this.process.kill();
    this.storage.kill();
    this.timers.clear();
    this.calls.clear();
    this.#parts.witness.onDeath(this, why);
  }

  freeze(ms: number): void {
    this.isFrozen = true;
    this.wasAbsent = true;
    this.process.suspend();
    this.#parts.runtime.timers.after(ms, () => {
      this.isFrozen = false;
      this.thawedAt = this.#parts.runtime.clock.elapsed();
      this.process.resume();
    });
  }

  #fetch(): ReturnType<Network['fetchOf']> {
    const fetch = this.#parts.network.fetchOf(this);
    return (url, init) => {
      if (!this.isAlive) return new Promise(() => {});
      this.#networkKills = this.#networkKills.map((left) => left - 1);
      if (this.#networkKills.includes(0)) {
        this.#networkKills = this.#networkKills.filter((left) => left > 0);
        this.#parts.runtime.timers.after(this.#parts.random.integer(200), () =>
          this.kill('during a request'),
        );
      }
      return fetch(url, init);
    };
  }

  async #token(principal: string): Promise<string> {
    const known = this.#tokens.get(principal);
    if (known !== undefined) return known;
    // Whoever was signed in stays so over a restart, with credentials that may have expired.
    this.#tokens.set(principal, `${principal}.1`);
    return `${principal}.1`;
  }

  #store(name: CollectionName): NexusStore<Value> {
    const { isMerging, ...settings } = COLLECTIONS[name];
    return new NexusStore<Value>({
      backend: this.backend,
      collection: name,
      applyCommand,
      schemaVersion: this.version,
      migrate: ({ payload }) => migratedPayload(payload, this.version),
      ...settings,
      indexes: this.#indexes(),
      ...(isMerging === true ? { merge: mergeCommands } : {}),
    });
  }

  /** What is indexed changes from version to version, and from page to worker. */
  #indexes(): readonly ('a' | 'b' | 'token')[] {
    if (this.#parts.settings.isIndexed !== true) return [];
    return INDEXES[(this.version + this.slot) % INDEXES.length] ?? [];
  }

  #watchedRuntime(): Runtime {
    const { process, timers } = this;
    const { clock } = this.#parts.runtime;
    return {
      clock: process.clock,
      random: process.random,
      ids: process.ids,
      timers: {
        yield: () => process.timers.yield(),
        after: (delayMs, callback) => {
          const mark = {};
          timers.set(mark, clock.elapsed() + Math.max(0, delayMs));
          const cancel = process.timers.after(delayMs, () => {
            timers.delete(mark);
            callback();
          });
          return () => {
            timers.delete(mark);
            cancel();
          };
        },
      },
      logger: {
        log: (level, message, fields) => {
          if (this.isAlive) this.#parts.witness.onLog(this, level, message, fields);
        },
      },
    };
  }
}
