import type { VirtualProcess, VirtualRuntime } from '../../../testing/virtual-runtime.ts';
import type {
  BatteryLike,
  Browser,
  ChannelLike,
  ConnectionLike,
  NavigatorLike,
} from '../browser.ts';
import type { ServiceWorkerScope } from '../worker/service-worker-scope.ts';
import { FakeEvents } from './fake-events.ts';
import { FakeLocks } from './fake-locks.ts';
import { FakeSyncManager } from './fake-sync-manager.ts';

export interface FakeFeatures {
  readonly locks?: boolean;
  readonly channels?: boolean;
  readonly serviceWorker?: boolean;
  readonly connection?: ConnectionLike;
  readonly battery?: BatteryLike;
}

/** One browser with one origin: its tabs, its worker, its network. What dies or freezes behaves so. */
export class FakeOrigin {
  readonly runtime: VirtualRuntime;
  readonly features: FakeFeatures;
  readonly locks: FakeLocks = new FakeLocks();
  readonly sync: FakeSyncManager;
  readonly contexts = new Set<FakeContext>();
  /** Runs in each worker that is started: the app's worker script. */
  script: ((worker: FakeWorker) => void) | undefined;
  #worker: FakeWorker | undefined;
  #isOnline = true;

  constructor(runtime: VirtualRuntime, features: FakeFeatures = {}) {
    this.runtime = runtime;
    this.features = features;
    this.sync = new FakeSyncManager({
      timers: runtime.timers,
      isOnline: () => this.#isOnline,
      dispatch: (type, event) => this.worker().dispatch(type, event),
    });
  }

  get isOnline(): boolean {
    return this.#isOnline;
  }

  set isOnline(isOnline: boolean) {
    this.#isOnline = isOnline;
    for (const context of this.contexts) context.scope.fire(isOnline ? 'online' : 'offline');
    if (isOnline) this.sync.onOnline();
  }

  openTab(): FakeTab {
    const tab = new FakeTab(this);
    this.contexts.add(tab);
    return tab;
  }

  /** The worker, started if it is not. */
  worker(): FakeWorker {
    if (this.#worker?.process.isAlive === true) return this.#worker;
    const worker = new FakeWorker(this);
    this.#worker = worker;
    this.contexts.add(worker);
    this.script?.(worker);
    return worker;
  }
}

/** A tab or a worker. */
export class FakeContext {
  readonly origin: FakeOrigin;
  readonly process: VirtualProcess;
  readonly scope: FakeEvents = new FakeEvents();
  readonly badges: number[] = [];
  readonly #channels = new Set<FakeChannel>();
  #mail: (() => void)[] | undefined;

  constructor(origin: FakeOrigin) {
    this.origin = origin;
    this.process = origin.runtime.createProcess();
  }

  /** Timers and messages wait; what it holds it keeps. */
  freeze(): void {
    this.process.suspend();
    this.#mail = [];
  }

  thaw(): void {
    const mail = this.#mail ?? [];
    this.#mail = undefined;
    this.process.resume();
    for (const deliver of mail) deliver();
  }

  /** A crash, or the end of a tab. */
  kill(): void {
    this.process.kill();
    for (const channel of this.#channels) channel.close();
    this.origin.contexts.delete(this);
    this.origin.locks.onDeath(this);
  }

  /** Delivers a message in a task of its own. */
  receive(deliver: () => void): void {
    void Promise.resolve().then(() => {
      if (!this.process.isAlive) return;
      if (this.#mail === undefined) deliver();
      else this.#mail.push(deliver);
    });
  }

  protected navigator(): NavigatorLike {
    const { origin, badges } = this;
    const { features } = origin;
    const { battery, connection } = features;
    return {
      get onLine() {
        return origin.isOnline;
      },
      connection,
      locks: features.locks === false ? undefined : origin.locks.of(this),
      setAppBadge: async (count) => void badges.push(count),
      clearAppBadge: async () => void badges.push(0),
      ...(battery === undefined ? {} : { getBattery: async () => battery }),
    };
  }

  protected get openChannel(): Browser['openChannel'] {
    if (this.origin.features.channels === false) return undefined;
    return (name) => {
      const channel = new FakeChannel(this, name, () => this.#channels.delete(channel));
      this.#channels.add(channel);
      return channel;
    };
  }

  channels(name: string): readonly FakeChannel[] {
    return [...this.#channels].filter((channel) => channel.name === name);
  }
}

export class FakeTab extends FakeContext {
  readonly document: FakeEvents & { visibilityState: string } = Object.assign(new FakeEvents(), {
    visibilityState: 'visible',
  });
  /** What the page told its worker. */
  readonly told: unknown[] = [];
  readonly browser: Browser;

  constructor(origin: FakeOrigin) {
    super(origin);
    const active = {
      postMessage: (message: unknown) => {
        this.told.push(message);
        void origin
          .worker()
          .dispatch('message', { data: message })
          .catch(() => {});
      },
    };
    const hasWorker = origin.features.serviceWorker !== false;
    this.browser = {
      navigator: {
        ...this.navigator(),
        // A getter does not survive being spread.
        get onLine() {
          return origin.isOnline;
        },
        serviceWorker: hasWorker
          ? { ready: Promise.resolve(origin.sync.registration(active)) }
          : undefined,
      },
      scope: this.scope,
      document: this.document,
      openChannel: this.openChannel,
    };
  }

  show(isVisible: boolean): void {
    this.document.visibilityState = isVisible ? 'visible' : 'hidden';
    this.document.fire('visibilitychange');
  }

  /** As a browser closes a tab: hidden, then gone. */
  close(): void {
    this.show(false);
    this.scope.fire('pagehide');
    this.kill();
  }
}

export class FakeWorker extends FakeContext {
  readonly browser: Browser;
  #fail: (error: Error) => void = () => {};
  readonly #ended: Promise<never> = new Promise((_, reject) => (this.#fail = reject));

  constructor(origin: FakeOrigin) {
    super(origin);
    this.#ended.catch(() => {});
    this.browser = {
      navigator: this.navigator(),
      scope: this.scope,
      document: undefined,
      openChannel: this.openChannel,
    };
  }

  get asScope(): ServiceWorkerScope {
    return {
      registration: this.origin.sync.registration(),
      addEventListener: (type: string, listener: (event: never) => void) =>
        this.scope.addEventListener(type, listener),
    };
  }

  /** Events under way fail, as they do when a browser stops a worker. */
  override kill(): void {
    super.kill();
    this.#fail(new Error('the worker was stopped'));
  }

  /** Settles when all work that the event was extended by has settled. */
  async dispatch(type: string, event: object): Promise<void> {
    const work: Promise<unknown>[] = [];
    this.scope.fire(type, {
      ...event,
      waitUntil: (promise: Promise<unknown>) => work.push(promise),
    });
    await Promise.race([Promise.all(work), this.#ended]);
  }
}

class FakeChannel implements ChannelLike {
  onmessage: ((event: { readonly data: unknown }) => void) | null = null;
  readonly name: string;
  readonly #context: FakeContext;
  readonly #onClose: () => void;
  #isClosed = false;

  constructor(context: FakeContext, name: string, onClose: () => void) {
    this.#context = context;
    this.name = name;
    this.#onClose = onClose;
  }

  postMessage(data: unknown): void {
    if (this.#isClosed) throw new Error('InvalidStateError');
    for (const context of this.#context.origin.contexts) {
      for (const channel of context.channels(this.name)) {
        if (channel !== this) context.receive(() => channel.onmessage?.({ data }));
      }
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#onClose();
  }
}
