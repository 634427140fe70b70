import { RemoteError } from '../../core/model/errors.ts';
import type { Outcome, SyncFailure } from '../../core/model/outcome.ts';
import type {
  OutgoingEntry,
  PullPage,
  PullRequest,
  Remote,
  RemoteCapabilities,
  RemoteContext,
} from '../../core/ports/remote.ts';
import type { Runtime } from '../../core/ports/runtime.ts';
import type { MemoryServer } from '../memory-server.ts';

/** The way from a simulated device to its server. */
export interface PhoneNetwork {
  readonly server: MemoryServer;
  isReachable(): boolean;
  /** How long one request takes, milliseconds. */
  latencyMs(): number;
  /** A request was sent; `until` is when it ended, epoch milliseconds. */
  onRequest(from: number, until: number): void;
  onApplied(entityIds: readonly OutgoingEntry['entityId'][], at: number): void;
  /** An answer of the server instead of its work, such as 503; undefined: it works. */
  refusal?(now: number): Outcome | undefined;
}

/** A remote in the process of a simulated app: its requests die with the process, and with the network. */
export class PhoneRemote implements Remote {
  readonly capabilities: RemoteCapabilities = { pull: true, hints: false, maxBatch: 50 };
  readonly #runtime: Runtime;
  readonly #network: PhoneNetwork;

  constructor(runtime: Runtime, network: PhoneNetwork) {
    this.#runtime = runtime;
    this.#network = network;
  }

  async push(batch: readonly OutgoingEntry[], context: RemoteContext): Promise<readonly Outcome[]> {
    const lost = (isAmbiguous: boolean): Outcome[] =>
      batch.map(() => offline(isAmbiguous, this.#runtime.clock.now()));
    if (!this.#network.isReachable()) return lost(false);
    await this.#transfer(context.signal);
    if (context.signal.aborted || !this.#network.isReachable()) return lost(true);
    const now = this.#runtime.clock.now();
    const refusal = this.#network.refusal?.(now);
    if (refusal !== undefined) return batch.map(() => refusal);
    const outcomes = this.#network.server.push(batch, context.principal, now);
    const applied = batch.filter((_, index) => outcomes[index]?.kind === 'applied');
    this.#network.onApplied(
      applied.map(({ entityId }) => entityId),
      now,
    );
    return outcomes;
  }

  async pull(request: PullRequest, context: RemoteContext): Promise<PullPage> {
    const isReachable = (): boolean => this.#network.isReachable() && !context.signal.aborted;
    if (!isReachable()) throw new RemoteError('remote/offline', 'no network');
    await this.#transfer(context.signal);
    if (!isReachable()) throw new RemoteError('remote/offline', 'the network went away');
    if (this.#network.refusal?.(this.#runtime.clock.now()) !== undefined)
      throw new RemoteError('remote/server', 'refused', { status: 503 });
    return this.#network.server.pull(request, context.principal);
  }

  async listen(): Promise<void> {}

  async close(): Promise<void> {}

  /** Resolves when the answer is there, or the signal aborts. */
  #transfer(signal: AbortSignal): Promise<void> {
    const { clock, timers } = this.#runtime;
    const from = clock.now();
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        signal.removeEventListener('abort', end);
        this.#network.onRequest(from, clock.now());
        resolve();
      };
      const cancel = timers.after(this.#network.latencyMs(), end);
      signal.addEventListener('abort', end, { once: true });
    });
  }
}

function offline(isAmbiguous: boolean, at: number): Outcome {
  const failure: SyncFailure = { code: 'remote/offline', at };
  return { kind: 'retry', scope: 'endpoint', ambiguous: isAmbiguous, failure };
}
