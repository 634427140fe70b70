import type { SyncEvent } from '../core/model/events.ts';
import type { Outcome, SyncFailure } from '../core/model/outcome.ts';
import type { Remote } from '../core/ports/remote.ts';
import type { Runtime } from '../core/ports/runtime.ts';
import type { Storage } from '../core/ports/storage.ts';
import type { BackendOptions } from '../core/store/backend-options.ts';
import { NexusStore, type StoreOptions } from '../core/store/nexus-store.ts';
import { StoreBackend } from '../core/store/store-backend.ts';
import { whyAsleep } from '../core/store/why-asleep.ts';
import { memoryRemote, type MemoryRemote } from './memory-remote.ts';
import { createVirtualRuntime, type VirtualRuntime } from './virtual-runtime.ts';

/** What the tests of store and engine write about. */
export interface Note {
  readonly id: string;
  readonly text?: string;
  readonly at?: number;
  readonly count?: number;
  readonly done?: boolean;
}

export interface BackendFixtureOptions extends Omit<Partial<BackendOptions>, 'storage' | 'remote'> {
  readonly storage: Storage;
  /** @defaultValue a memory remote without hints */
  readonly remote?: Remote;
  /** @defaultValue one of its own */
  readonly runtime?: VirtualRuntime;
  /** What the backend runs on, to be killed. @defaultValue the runtime itself */
  readonly process?: Runtime;
  /** Settings of the store for notes. */
  readonly store?: Partial<StoreOptions<Note>>;
  /** @defaultValue `false`: only `sync` sends */
  readonly autoSync?: boolean;
}

/** A backend on virtual time with one store, and everything that happens to it on record. */
export class BackendFixture {
  readonly runtime: VirtualRuntime;
  readonly remote: MemoryRemote;
  readonly backend: StoreBackend;
  readonly notes: NexusStore<Note>;
  readonly events: SyncEvent[] = [];
  readonly isAuto: boolean;

  constructor(options: BackendFixtureOptions) {
    const { store, runtime, process, remote, ...rest } = options;
    this.runtime = runtime ?? createVirtualRuntime(1);
    this.remote = (remote ?? memoryRemote({ hints: false })) as MemoryRemote;
    this.isAuto = rest.autoSync ?? false;
    this.backend = new StoreBackend(process ?? this.runtime, {
      autoSync: false,
      ...rest,
      remote: this.remote,
    });
    this.backend.on((event) => this.events.push(event));
    this.notes = new NexusStore<Note>({
      ...store,
      backend: this.backend,
      collection: store?.collection ?? 'notes',
    });
  }

  /** Lets promises settle, without moving time. */
  async settle(): Promise<void> {
    await this.runtime.settle();
  }

  /** Waits for a promise while time passes, at most an hour. */
  async wait<R>(promise: Promise<R>): Promise<R> {
    let isSettled = false;
    const done = (): void => {
      isSettled = true;
    };
    promise.then(done, done);
    await this.runtime.settle();
    for (let steps = 0; !isSettled; steps += 1) {
      if (steps >= 36_000) throw new Error('the promise did not settle within an hour');
      await this.runtime.advance(100);
    }
    return promise;
  }

  typesOf(...types: readonly SyncEvent['type'][]): readonly SyncEvent['type'][] {
    return this.events.map(({ type }) => type).filter((type) => types.includes(type));
  }

  /** What the server got, as `operation id`, in the order of arrival. */
  get arrivals(): readonly string[] {
    return this.remote.server.applied.map(
      ({ operation, entityId }) => `${operation} ${String(entityId)}`,
    );
  }

  /** Which entities each request carried. */
  get requests(): readonly (readonly string[])[] {
    return this.remote.attempts.map(({ batch }) => batch.map(({ entityId }) => String(entityId)));
  }
}

/**
 * Makes fixtures that are closed after each test, and checks then that nothing was left behind: no timer,
 * and nothing pending that nobody would ever send.
 */
export function fixtures(
  afterEach: (check: () => Promise<void>) => void,
  makeStorage: () => Storage,
): (options?: Partial<BackendFixtureOptions>) => BackendFixture {
  const made: BackendFixture[] = [];
  afterEach(async () => {
    const left = made.splice(0);
    const faults: string[] = [];
    for (const fixture of left) {
      const { backend, isAuto } = fixture;
      const fault = isAuto && backend.isOpen ? await whyAsleep(backend) : null;
      if (fault !== null) faults.push(fault);
      await fixture.wait(backend.close());
    }
    for (const { runtime } of left) {
      await runtime.settle();
      if (runtime.pendingTimers > 0) faults.push(`${runtime.pendingTimers} timers are left`);
    }
    if (faults.length > 0) throw new Error(faults.join('; '));
  });
  return (options = {}) => {
    const fixture = new BackendFixture({ storage: makeStorage(), ...options });
    made.push(fixture);
    return fixture;
  };
}

export function failureOf(status?: number, code: string = 'remote/server'): SyncFailure {
  return { code, at: 0, ...(status === undefined ? {} : { status }) };
}

type Retry = Extract<Outcome, { kind: 'retry' }>;

/** The outcomes that a remote gives for common answers. */
export const answers = {
  offline: {
    kind: 'retry',
    scope: 'endpoint',
    ambiguous: true,
    failure: { code: 'remote/offline', at: 0 },
  } as Retry,
  portal: {
    kind: 'retry',
    scope: 'endpoint',
    ambiguous: true,
    failure: { code: 'remote/protocol', status: 200, at: 0 },
  } as Retry,
  upgrade: {
    kind: 'retry',
    scope: 'endpoint',
    ambiguous: false,
    upgradeRequired: true,
    failure: { code: 'remote/upgrade-required', status: 426, at: 0 },
  } as Retry,
  unauthorised: {
    kind: 'unauthorised',
    failure: { code: 'remote/unauthorised', status: 401, at: 0 },
  } as Outcome,
  tooLarge: {
    kind: 'too-large',
    failure: { code: 'remote/rejected', status: 413, at: 0 },
  } as Outcome,
  endpoint: (status: number, retryAfterMs?: number): Retry => ({
    kind: 'retry',
    scope: 'endpoint',
    ambiguous: false,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    failure: failureOf(status, status === 429 ? 'remote/throttled' : 'remote/server'),
  }),
  entry: (status: number, retryAfterMs?: number): Retry => ({
    kind: 'retry',
    scope: 'entry',
    ambiguous: status === 500 || status === 507,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    failure: failureOf(status),
  }),
  rejected: (status: number): Outcome => ({
    kind: 'rejected',
    failure: failureOf(status, 'remote/rejected'),
  }),
  conflict: (remote: unknown, version?: string): Outcome => ({
    kind: 'conflict',
    remote,
    ...(version === undefined ? {} : { version }),
    failure: failureOf(409, 'remote/rejected'),
  }),
};
