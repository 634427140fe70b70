import type { UnitOfWork } from '../queue/unit-of-work.ts';
import {
  afterLesson,
  askedToWaitUntil,
  ENOUGH,
  GATE_SHUT,
  isOpen,
  MAX_RETRY_AFTER_MS,
  readGate,
  reanchored,
  writeGate,
  type EndpointFailure,
  type Gate,
  type GateLesson,
} from './gate.ts';
import type { SyncContext } from './sync-context.ts';

const NOTHING: GateLesson = { kind: 'nothing' };
const NOT_ASKED = { until: 0, elapsed: 0 };

/**
 * What shows, when a request fails, that the way to the server works all the same: since the last failure of any
 * request several pushes worked (`others`), one did (`one`), or only pulls (`pulls`).
 */
export type Evidence = 'others' | 'one' | 'pulls' | 'none';

/**
 * What this process knows of the gate. The record in storage is the truth: a lesson is applied to it in
 * the transaction that settles what the lesson was learnt from, so that neither requests side by side
 * nor other contexts overwrite each other's.
 */
export class GateWatch {
  readonly #context: SyncContext;
  #gate: Gate = GATE_SHUT;
  /**
   * The last wish to wait that was heard here, perhaps still being stored: on the wall clock, which goes on
   * in a device that sleeps, and on the monotonic one, which nobody moves back. It is over by either.
   */
  #asked = NOT_ASKED;
  /** Grows with everything that this process learns. */
  #changes = 0;
  #begun = 0;
  /** Requests up to this number began before the last failure was known. */
  #begunBeforeFailure = 0;

  constructor(context: SyncContext) {
    this.#context = context;
  }

  get gate(): Gate {
    return this.#gate;
  }

  /** Reads the gate anew. A clock that was moved back is noticed here, and its waits begin anew. */
  async load(): Promise<Gate> {
    const { writer, runtime } = this.#context;
    const seen = this.#changes;
    const stored = await writer.read(readGate);
    // What an answer has taught meanwhile is newer than what was read.
    if (seen !== this.#changes) return this.#gate;
    if (reanchored(stored, runtime.clock.now()) === stored) {
      this.#gate = stored;
      return stored;
    }
    this.#gate = await writer.write(async (uow) => {
      const gate = reanchored(await readGate(uow), runtime.clock.now());
      writeGate(uow, gate);
      return gate;
    });
    return this.#gate;
  }

  /**
   * Looks at the gate in a transaction that is about to claim, or before a page: another context may have been
   * asked to leave the server alone. False if nothing may be sent now.
   */
  async permits(uow: UnitOfWork): Promise<boolean> {
    const seen = this.#changes;
    const stored = await readGate(uow);
    // A page is asked for in a transaction that only reads, and may see less than an answer has taught.
    if (seen === this.#changes) this.#gate = stored;
    return this.isPassable;
  }

  /** The same, as far as this run knows: another request's answer may have come since the claim. */
  get isPassable(): boolean {
    return this.askedUntil === null;
  }

  /** Until when the server wants to be left alone, as far as this process knows; null: it may be called. */
  get askedUntil(): number | null {
    const { clock } = this.#context.runtime;
    const now = clock.now();
    const { until, elapsed } = this.#asked;
    const heardMs = Math.min(until - now, elapsed - clock.elapsed());
    const at = Math.max(now + heardMs, askedToWaitUntil(this.#gate, now) ?? 0);
    return at > now ? at : null;
  }

  /** A request begins: what was asked is over, and no clock that is moved back brings it back. Returns its number. */
  begin(): number {
    if (this.isPassable) this.#asked = NOT_ASKED;
    this.#begun += 1;
    return this.#begun;
  }

  /** What speaks for the way to the server, for a request by its number that has just failed. */
  evidence(number: number): Evidence {
    if (number <= this.#begunBeforeFailure) return 'none';
    const { worked, isDoubtful, isPulling } = this.#gate;
    if (!isDoubtful && worked > 0) return worked >= ENOUGH ? 'others' : 'one';
    return isPulling ? 'pulls' : 'none';
  }

  /** The lesson of a request by its number, drawn before its transaction. */
  lesson(
    endpoint: EndpointFailure | null,
    works: boolean,
    number: number,
    by: 'push' | 'pull' | 'check' = 'push',
  ): GateLesson {
    const { clock, random } = this.#context.runtime;
    // What began before the last failure says nothing new of the time since.
    const isNews = number > this.#begunBeforeFailure;
    if (endpoint === null) return works && isNews ? { kind: 'works', by } : NOTHING;
    if (!isNews && endpoint.retryAfterMs === undefined && endpoint.block === null) return NOTHING;
    this.#begunBeforeFailure = this.#begun;
    this.#changes += 1;
    const { retryAfterMs = 0 } = endpoint;
    if (retryAfterMs > 0) {
      const waitMs = Math.min(retryAfterMs, MAX_RETRY_AFTER_MS);
      this.#asked = { until: clock.now() + waitMs, elapsed: clock.elapsed() + waitMs };
    }
    return { kind: 'failed', endpoint, at: clock.now(), jitter: random.float(), counts: isNews };
  }

  /** Applies a lesson to the stored gate, in the caller's transaction. */
  async apply(uow: UnitOfWork, lesson: GateLesson): Promise<Gate> {
    if (lesson.kind === 'nothing') return this.#gate;
    const { runtime, options } = this.#context;
    const { partition } = this.#context.principal();
    const stored = await readGate(uow);
    const next = afterLesson(stored, lesson, partition, options.backoff, runtime.clock.now());
    if (next !== stored) writeGate(uow, next);
    return next;
  }

  /** The transaction was committed. */
  adopt(next: Gate, lesson: GateLesson): void {
    const before = this.#gate;
    this.#gate = next;
    this.#changes += 1;
    const { emit } = this.#context;
    if (isOpen(before) && !isOpen(next)) emit({ type: 'gate-closed' });
    if (lesson.kind !== 'failed') return;
    const { failure, block, isOffline } = lesson.endpoint;
    if (block !== null) emit({ type: block, failure });
    if (isOffline && failure.code === 'remote/protocol')
      emit({ type: 'answer-not-recognised', failure });
    if (!isOpen(before) && isOpen(next))
      emit({ type: 'gate-opened', until: next.until ?? lesson.at, failure });
  }
}
