/**
 * Switches before a remote: what the inspector's network switch acts on. An entry of its own, since apps
 * wrap their remote when they start and load the inspector later, if at all.
 *
 * @module
 */
import { oneOf, requireKind, requireOptions, type Kinds } from '../../core/model/arguments.ts';
import { DURATION, durationMs, type Duration } from '../../core/model/duration.ts';
import { RemoteError } from '../../core/model/errors.ts';
import { LiveValue, type Live } from '../../core/model/live.ts';
import { REMOTE } from '../../core/ports/kinds.ts';
import type { Outcome } from '../../core/model/outcome.ts';
import type {
  OutgoingEntry,
  PullPage,
  PullRequest,
  Remote,
  RemoteCapabilities,
  RemoteContext,
} from '../../core/ports/remote.ts';

/** How the network behaves, as far as this remote is concerned. */
export type NetworkCondition = 'normal' | 'slow' | 'offline';

export const NETWORK_CONDITIONS: readonly NetworkCondition[] = ['normal', 'slow', 'offline'];

export interface InspectableOptions {
  /**
   * How much longer each request takes while the network is slow.
   *
   * @defaultValue `'2s'`
   */
  readonly slowBy?: Duration;
}

const INSPECTABLE_OPTIONS: Kinds<InspectableOptions> = { slowBy: DURATION };
const CONDITION = oneOf(...NETWORK_CONDITIONS);

/** A remote whose network can be switched, by hand or by the inspector. */
export interface InspectableRemote extends Remote {
  readonly network: Live<NetworkCondition>;
  /** @throws UsageError `usage/invalid-argument` */
  setNetwork(condition: NetworkCondition): void;
}

/**
 * Puts switches before a remote: offline and slow network, for development. The switches are of this
 * context: a service worker that drains the same queue has a remote of its own.
 *
 * @throws UsageError `usage/invalid-argument` for a remote that is none, and a `slowBy` that is no duration
 */
export function inspectable(remote: Remote, options: InspectableOptions = {}): InspectableRemote {
  requireKind('inspectable: remote', remote, REMOTE);
  requireOptions('inspectable', options, INSPECTABLE_OPTIONS);
  return new SwitchedRemote(remote, durationMs(options.slowBy ?? '2s', 'slowBy'));
}

class SwitchedRemote implements InspectableRemote {
  readonly capabilities: RemoteCapabilities;
  readonly #remote: Remote;
  readonly #slowMs: number;
  readonly #network = new LiveValue<NetworkCondition>('normal', () => {});

  constructor(remote: Remote, slowMs: number) {
    this.#remote = remote;
    this.#slowMs = slowMs;
    this.capabilities = remote.capabilities;
  }

  get network(): Live<NetworkCondition> {
    return this.#network;
  }

  setNetwork(condition: NetworkCondition): void {
    requireKind('setNetwork: condition', condition, CONDITION);
    this.#network.set(condition);
  }

  async push(batch: readonly OutgoingEntry[], context: RemoteContext): Promise<readonly Outcome[]> {
    await this.#delay(context.signal);
    // Nothing has left yet: the outcome is known.
    if (this.#isOffline || context.signal.aborted || !context.maySend())
      return batch.map(() => unsent(context.now));
    return this.#remote.push(batch, context);
  }

  async pull(request: PullRequest, context: RemoteContext): Promise<PullPage> {
    await this.#delay(context.signal);
    if (this.#isOffline) throw switchedOff();
    return this.#remote.pull(request, context);
  }

  async listen(onHint: (collection: string | null) => void, context: RemoteContext): Promise<void> {
    if (this.#isOffline) throw switchedOff();
    const stopping = new AbortController();
    const stop = (): void => stopping.abort();
    context.signal.addEventListener('abort', stop);
    if (context.signal.aborted) stop();
    const forget = this.#network.subscribe((condition) => {
      if (condition === 'offline') stop();
    });
    try {
      await this.#remote.listen(onHint, { ...context, signal: stopping.signal });
    } finally {
      forget();
      context.signal.removeEventListener('abort', stop);
    }
    if (this.#isOffline) throw switchedOff();
  }

  async close(): Promise<void> {
    this.#network.close();
    await this.#remote.close();
  }

  get #isOffline(): boolean {
    return this.#network.current === 'offline';
  }

  /** Waits while the network is slow, no longer than it is, and no longer than anybody wants to wait. */
  #delay(signal: AbortSignal): Promise<void> {
    if (this.#network.current !== 'slow' || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        forget();
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, this.#slowMs);
      const forget = this.#network.subscribe((condition) => {
        if (condition !== 'slow') queueMicrotask(end);
      });
      signal.addEventListener('abort', end, { once: true });
    });
  }
}

function unsent(at: number): Outcome {
  const failure = { code: 'remote/offline', detail: 'switched off in the inspector', at };
  return { kind: 'retry', scope: 'endpoint', ambiguous: false, failure };
}

function switchedOff(): RemoteError {
  return new RemoteError('remote/offline', 'the network is switched off in the inspector');
}
