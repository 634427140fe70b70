import { isNexusError, RemoteError } from '../model/errors.ts';
import type { SyncFailure } from '../model/outcome.ts';
import type { Block, EndpointFailure } from './gate.ts';
import type { GateWatch } from './gate-watch.ts';
import { failureWith } from './outcome-check.ts';
import { isOfflineFailure } from './outcome-kinds.ts';
import type { SyncContext } from './sync-context.ts';

/** What a pull that failed means for the endpoint. */
export class PullFailures {
  readonly #context: SyncContext;
  readonly #gates: GateWatch;

  constructor(context: SyncContext, gates: GateWatch) {
    this.#context = context;
    this.#gates = gates;
  }

  /**
   * @param isCheck a push has failed just before: it is the same failure
   * @throws the error itself if it is none of the remote's
   */
  async onError(
    error: unknown,
    isCheck: boolean,
  ): Promise<{ readonly failure: SyncFailure; readonly stoppedBy: 'offline' | 'blocked' }> {
    if (!isRemoteError(error)) throw error;
    const { clock } = this.#context.runtime;
    const failure: SyncFailure = {
      ...failureWith(error.code, clock.now(), error.message),
      ...(error.status === undefined ? {} : { status: error.status }),
    };
    const isOffline = isOfflineFailure(failure);
    if (isEndpointError(error)) {
      const { retryAfterMs } = error;
      const endpoint = { failure, retryAfterMs, block: blockOfCode(error.code), isOffline };
      await this.#apply(endpoint, isCheck ? 0 : this.#gates.begin());
    }
    return { failure, stoppedBy: isOffline ? 'offline' : 'blocked' };
  }

  /** A pull went through: the endpoint works. */
  async forgive(started: number, isCheck: boolean): Promise<void> {
    const { failures, failure, isPulling } = this.#gates.gate;
    if (failures === 0 && failure === null && isPulling) return;
    await this.#apply(null, started, isCheck ? 'check' : 'pull');
  }

  async #apply(
    endpoint: EndpointFailure | null,
    started: number,
    by: 'pull' | 'check' = 'pull',
  ): Promise<void> {
    const lesson = this.#gates.lesson(endpoint, endpoint === null, started, by);
    const next = await this.#context.writer.write((uow) => this.#gates.apply(uow, lesson));
    this.#gates.adopt(next, lesson);
  }
}

function isRemoteError(error: unknown): error is RemoteError {
  return isNexusError(error) && error.code.startsWith('remote/');
}

/** False for a refusal of what was asked for: then the server works. */
export function isEndpointError(error: unknown): boolean {
  return isRemoteError(error) && error.code !== 'remote/rejected';
}

function blockOfCode(code: string): Block | null {
  if (code === 'remote/unauthorised') return 'unauthorised';
  return code === 'remote/upgrade-required' ? 'upgrade-required' : null;
}
