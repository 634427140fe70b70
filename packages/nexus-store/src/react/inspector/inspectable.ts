/**
 * Switches before a remote: what the inspector's network switch acts on. An entry of its own, since apps
 * wrap their remote when they start and load the inspector later, if at all.
 *
 * @module
 */
import {
  NAME,
  oneOf,
  requireKind,
  requireOptions,
  type Kinds,
} from '../../core/model/arguments.ts';
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
import { SharedValue } from './shared-value.ts';

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
  /**
   * One switch for all tabs and workers of the origin that wrap their remote with the same name here, kept
   * until it is switched back, also over reloads and without any page. For development, and for showing an
   * app: whoever switches such a network off and leaves keeps it off.
   *
   * @defaultValue a switch for this context only, `normal` again after a reload
   */
  readonly sharedAs?: string;
}

const INSPECTABLE_OPTIONS: Kinds<InspectableOptions> = { slowBy: DURATION, sharedAs: NAME };
const CONDITION = oneOf(...NETWORK_CONDITIONS);

/** A remote whose network can be switched, by hand or by the inspector. */
export interface InspectableRemote extends Remote {
  readonly network: Live<NetworkCondition>;
  /** Whether the switch is that of all tabs and workers, or of this context only. */
  readonly isShared: boolean;
  /** @throws UsageError `usage/invalid-argument` */
  setNetwork(condition: NetworkCondition): void;
}

/**
 * Puts switches before a remote: offline and slow network, for development. The switches are of this
 * context: a service worker that drains the same queue has a remote of its own. With `sharedAs`, there and
 * here, they are one.
 *
 * @throws UsageError `usage/invalid-argument` for a remote that is none, and a `slowBy` that is no duration
 */
export function inspectable(remote: Remote, options: InspectableOptions = {}): InspectableRemote {
  requireKind('inspectable: remote', remote, REMOTE);
  requireOptions('inspectable', options, INSPECTABLE_OPTIONS);
  return new SwitchedRemote(remote, durationMs(options.slowBy ?? '2s', 'slowBy'), options.sharedAs);
}

class SwitchedRemote implements InspectableRemote {
  readonly capabilities: RemoteCapabilities;
  readonly #remote: Remote;
  readonly #slowMs: number;
  readonly #network = new LiveValue<NetworkCondition>('normal', () => {});
  readonly #shared: SharedValue | undefined;

  constructor(remote: Remote, slowMs: number, sharedAs: string | undefined) {
    this.#remote = remote;
    this.#slowMs = slowMs;
    this.capabilities = remote.capabilities;
    if (sharedAs === undefined) return;
    this.#shared = new SharedValue(sharedAs, () => void this.#look());
    void this.#look();
  }

  get isShared(): boolean {
    return this.#shared !== undefined;
  }

  get network(): Live<NetworkCondition> {
    return this.#network;
  }

  setNetwork(condition: NetworkCondition): void {
    requireKind('setNetwork: condition', condition, CONDITION);
    this.#network.set(condition);
    void this.#shared?.set(condition);
  }

  /** A worker that was woken, or a page that slept, has heard of no change: each request looks. */
  async #look(): Promise<void> {
    const condition = await this.#shared?.read();
    const known = NETWORK_CONDITIONS.find((each) => each === condition);
    if (known !== undefined) this.#network.set(known);
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
    if (this.#shared !== undefined) await this.#look();
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
    this.#shared?.close();
    await this.#remote.close();
  }

  get #isOffline(): boolean {
    return this.#network.current === 'offline';
  }

  /** Waits while the network is slow, no longer than it is, and no longer than anybody wants to wait. */
  async #delay(signal: AbortSignal): Promise<void> {
    if (this.#shared !== undefined) await this.#look();
    if (this.#network.current !== 'slow' || signal.aborted) return;
    await new Promise<void>((resolve) => {
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
