import type { WireOperation } from 'nexus-store/http';
import type { AppContext } from '../world/app-context.ts';
import { DirectWrites, tokenOf } from './direct-writes.ts';
import type { Value } from '../world/collections.ts';
import type { Flight } from '../world/network.ts';
import { decode, detailOf, type EntryOnDisk } from '../world/records.ts';
import { fingerprintOf, type Applied, type Answer } from '../world/server.ts';
import type { History, Life } from './history.ts';
import { canonical, name } from './records-agree.ts';
import type { Scene } from './scene.ts';

const LONGEST_RETRY_AFTER_MS = 24 * 3_600_000;
/** How long a context may take to write down that the server asked to wait. */
const DIGEST_MS = 3_000;
/** From a context's look at the stored gate to its request, outside of a run: steps of storage, credentials. */
const LOOK_MS = 500;

interface Refused {
  readonly context: AppContext;
  readonly flight: Flight;
  readonly at: number;
}

interface Promised {
  readonly context: AppContext;
  readonly isOfStreams: boolean;
  readonly toldAt: number;
  readonly waitMs: number;
  /** Wall time: that is what outlives a process. */
  readonly until: number;
}

/** What is sent, and what takes effect on the server. */
export class TrafficRules {
  readonly direct = new DirectWrites();
  readonly #scene: Scene;
  readonly #underWay = new Set<Flight>();
  readonly #lastApplied = new Map<string, number>();
  /** Keys of requests whose sender died before the answer came. */
  readonly #orphaned = new Set<string>();
  #promised: Promised[] = [];
  /** Requests that were refused for their credentials. */
  readonly #refused: Refused[] = [];
  /** When the gate was last written, and by whom. */
  #gate: { readonly at: number; readonly by: AppContext } | undefined;

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  isUnderWay(context: AppContext): boolean {
    for (const flight of this.#underWay) if (flight.context === context) return true;
    return false;
  }

  onSend(context: AppContext, flight: Flight): void {
    this.#checkGate(context, flight);
    const keys = new Set<string>();
    for (const operation of flight.operations) {
      keys.add(operation.idempotencyKey);
      this.#checkOperation(context, flight, operation);
    }
    if (keys.size !== flight.operations.length) {
      this.#scene.fail('key-twice', `#${flight.number} carries one key twice`);
    }
    this.#checkGroups(flight);
    this.#checkSize(flight);
    if (!context.wasAbsent) this.#checkLanes(flight);
    this.#underWay.add(flight);
  }

  onEnd(flight: Flight): void {
    this.#underWay.delete(flight);
  }

  onDeath(context: AppContext): void {
    for (const flight of this.#underWay) {
      if (flight.context !== context) continue;
      this.#underWay.delete(flight);
      for (const key of keysOf(flight)) this.#orphaned.add(key);
    }
  }

  onAnswer(context: AppContext, flight: Flight, answer: Answer): void {
    const { clock } = this.#scene.runtime;
    if (answer.status === 401) this.#onUnauthorised(context, flight);
    const waitMs = retryAfterOf(answer);
    if (waitMs === undefined) return;
    const toldAt = clock.elapsed();
    this.#promised.push({
      context,
      // What is said of streams binds streams alone: the server may only have too many of them.
      isOfStreams: flight.kind === 'events',
      toldAt,
      waitMs: Math.min(waitMs, LONGEST_RETRY_AFTER_MS),
      until: clock.now() + Math.min(waitMs, LONGEST_RETRY_AFTER_MS),
    });
  }

  /** Nobody looked at what the request carried: its keys stand for nothing yet. */
  #onUnauthorised(context: AppContext, flight: Flight): void {
    const { runtime, history } = this.#scene;
    this.#refused.push({ context, flight, at: runtime.clock.elapsed() });
    for (const key of keysOf(flight)) {
      if (history.sentAs.get(key)?.flight === flight.number) history.sentAs.delete(key);
    }
  }

  onGateWritten(context: AppContext): void {
    this.#gate = { at: this.#scene.runtime.clock.elapsed(), by: context };
  }

  /** The wall clock was moved, or the storage failed to keep what was said: promises no longer bind. */
  forgetPromises(): void {
    this.#promised = [];
  }

  /**
   * A loss of power has undone commits that touched these entries: what took effect of them is forgotten.
   *
   * @returns the keys of requests that nobody waits for any more and that may still arrive
   */
  forget(touched: ReadonlySet<number>, history: History): ReadonlySet<string> {
    this.forgetPromises();
    for (const seq of touched) {
      const life = history.lives.get(seq);
      if (life !== undefined) this.#lastApplied.delete(laneOfLife(life));
    }
    return this.#orphaned;
  }

  onApplied({ principal, operation }: Applied): void {
    const { history, fail } = this.#scene;
    if (this.direct.is(operation)) {
      this.direct.onApplied(operation);
      const owner = this.direct.ownerOf(operation);
      if (owner === undefined || owner === principal) return;
      return fail('principal', `${describe(operation)} of ${owner} was applied for ${principal}`);
    }
    const life = history.ofKey(operation.idempotencyKey);
    if (life === undefined) {
      fail('unknown-key', `${describe(operation)} was applied and never stood in the queue`);
      return;
    }
    // Sent before a loss of power made this device forget it: see `History.forget`.
    if (life.ghosts.has(operation.idempotencyKey)) return;
    const { owner } = life;
    if (owner !== principal) {
      fail('principal', `${describe(operation)} of ${owner} was applied for ${principal}`);
    }
    if (life.isCancelled) fail('cancelled', `${describe(operation)} was applied after its cancel`);
    if (life.appliedKey !== undefined && life.appliedKey !== operation.idempotencyKey) {
      fail('twice', `${describe(operation)} was applied under two keys`);
    }
    life.appliedKey = operation.idempotencyKey;
    this.#checkOrder(life, operation);
  }

  #checkOrder(life: Life, operation: WireOperation): void {
    const { history, fail } = this.#scene;
    const lane = laneOfLife(life);
    const last = this.#lastApplied.get(lane) ?? 0;
    if (life.seq < last && life.detachedIn === undefined)
      fail('order', `${describe(operation)} was applied after e${last}`);
    this.#lastApplied.set(lane, Math.max(last, life.seq));
    for (const seq of life.after) {
      const earlier = history.lives.get(seq);
      if (earlier === undefined || earlier.isGone || earlier.appliedKey !== undefined) continue;
      if (earlier.group !== undefined && earlier.group === life.group) continue;
      if (history.isReleased(seq, life.seq)) continue;
      fail('after', `${describe(operation)} came before e${seq}`);
    }
  }

  #checkOperation(context: AppContext, flight: Flight, operation: WireOperation): void {
    const { history, fail } = this.#scene;
    const what = `#${flight.number} ${describe(operation)}`;
    if (this.direct.is(operation)) return;
    const life = history.ofKey(operation.idempotencyKey);
    if (life === undefined) return fail('unknown-key', `${what} never stood in the queue`);
    const fingerprint = fingerprintOf(operation);
    const before = history.sentAs.get(operation.idempotencyKey);
    if (before === undefined) {
      history.sentAs.set(operation.idempotencyKey, { fingerprint, flight: flight.number });
    } else if (before.fingerprint !== fingerprint) {
      fail('key-reused', `${what}: its key stood for ${before.fingerprint}`);
    }
    const { owner } = life;
    if (!flight.token.startsWith(`${owner}.`)) {
      fail('principal', `${what} of ${owner} is sent with the token ${flight.token}`);
    }
    if (life.isCancelled) fail('cancelled', `${what} is sent after its cancel`);
    if (this.direct.neverSent.has(tokenOf(operation) ?? -1)) {
      fail('policy', `${what} carries what was for this device alone`);
    }
    this.#checkSchema(context, what, operation, life);
    if (context.wasAbsent) return; // it may go on with what another context took over meanwhile
    if (life.isErased || life.isDiscarded) return; // the answer to a request under way may ask for it once more
    if (life.isGone) return fail('unclaimed', `${what} is sent and stands no more in the queue`);
    const entry = life.last;
    if (entry.state !== null) fail('unclaimed', `${what} is sent and is ${entry.state}`);
    if (!this.#isClaimed(entry)) fail('unclaimed', `${what} is sent without a lease`);
    if (entry.idempotencyKey !== operation.idempotencyKey) {
      return fail('unclaimed', `${what} is sent with a key that ${name(entry)} has no more`);
    }
    const payload: unknown = entry.payload === null ? null : decode(entry.payload);
    if (canonical(payload) !== canonical(operation.payload)) {
      fail('unclaimed', `${what} is sent with another payload than ${entry.payload}`);
    }
  }

  /** What an older version of the app has queued is carried over, unless a server may know it as it was. */
  #checkSchema(context: AppContext, what: string, operation: WireOperation, life: Life): void {
    const { fail, history } = this.#scene;
    const { payload, operation: kind, schemaVersion } = operation;
    if (payload === null || kind === 'delete') return;
    // Who has none of the app's stores carries nothing over: the server is told the version.
    const carries = !context.isTool && life.last.ambiguous !== 1;
    if (carries && schemaVersion < context.version) {
      fail('schema', `${what} of version ${schemaVersion} is sent by version ${context.version}`);
    }
    // A merged value has fields of both sides.
    if (kind === 'command' || [...life.keys].some((key) => history.conflicted.has(key))) return;
    const { m = 1 } = payload as Partial<Value>;
    if (m !== schemaVersion) {
      fail('schema', `${what} says version ${schemaVersion} and is of version ${m}`);
    }
  }

  #isClaimed(entry: EntryOnDisk): boolean {
    for (const lease of this.#scene.disk.leases.values()) {
      if ((JSON.parse(lease.positions) as number[]).includes(entry.position)) return true;
    }
    return false;
  }

  #checkGroups(flight: Flight): void {
    const { history, fail } = this.#scene;
    const sent = new Set(flight.operations.map(({ idempotencyKey }) => idempotencyKey));
    const seen = new Set<string>();
    for (const { idempotencyKey, group } of flight.operations) {
      const life = history.ofKey(idempotencyKey);
      if (group === undefined || life === undefined || seen.has(group)) continue;
      seen.add(group);
      for (const mate of history.lives.values()) {
        if (mate.partition !== life.partition || mate.group !== group || mate.isGone) continue;
        if (detailOf(mate.last).group !== group || mate.appliedKey !== undefined) continue;
        if (sent.has(mate.last.idempotencyKey)) continue;
        fail('group', `#${flight.number} carries ${group} without ${name(mate.last)}`);
      }
    }
  }

  /** Several units go together only as far as their payloads fit. */
  #checkSize({ operations, number }: Flight): void {
    const { settings, history, fail } = this.#scene;
    const { maxBatchBytes = Infinity } = settings;
    const units = new Set(operations.map(({ group, idempotencyKey }) => group ?? idempotencyKey));
    if (units.size <= 1) return;
    const sizes = operations.map(({ idempotencyKey }) => {
      const life = history.ofKey(idempotencyKey);
      return life === undefined ? 0 : (life.last.payload?.length ?? 0) + 100;
    });
    const size = sizes.reduce((sum, one) => sum + one, 0);
    // Payloads may grow a little on their way from the claim, when they are carried to another schema.
    if (size > maxBatchBytes + 10 * operations.length) {
      fail('too-big', `#${number} carries ${size} characters, ${maxBatchBytes} are allowed`);
    }
  }

  #checkLanes(flight: Flight): void {
    const { history, fail } = this.#scene;
    const queued = flight.operations.filter((operation) => !this.direct.is(operation));
    const lanes = new Set(queued.map(laneName));
    for (const other of this.#underWay) {
      if (other.context !== flight.context || other.kind !== 'push') continue;
      // One that is sent before it is stored has no lane: a conflict tells which of both was faster.
      const shared = other.operations.find(
        (operation) => lanes.has(laneName(operation)) && !this.direct.is(operation),
      );
      // Another context took it over meanwhile, and has settled it.
      if (shared === undefined || history.ofKey(shared.idempotencyKey)?.isGone !== false) continue;
      const what = `#${flight.number} and #${other.number}`;
      fail('lane-twice', `${what} carry ${laneName(shared)} at the same time`);
    }
  }

  /** Sent once more with new credentials: that belongs to the request that was under way. */
  #isRepeated(context: AppContext, flight: Flight): boolean {
    return this.#refused.some(
      (refused) =>
        refused.context === context &&
        (refused.at >= context.runStartedAt || !context.isRunning) &&
        refused.flight.url.href === flight.url.href &&
        keysOf(refused.flight).join() === keysOf(flight).join(),
    );
  }

  #checkGate(context: AppContext, flight: Flight): void {
    const { runtime, disk, fail } = this.#scene;
    const now = runtime.clock.now();
    const elapsed = runtime.clock.elapsed();
    if (this.#isRepeated(context, flight)) return;
    const { retryAfterUntil: until = null, setAt = null } = disk.gate ?? {};
    // Set at a time that is yet to come: the clock was moved back, and the wait counts anew.
    const isMoved = setAt !== null && setAt > now;
    // A context learns of what another one was told when it begins its next run. Outside of runs it looks
    // right before each request: what is written between the look and the request comes too late for it.
    const isKnown =
      this.#gate === undefined ||
      this.#gate.by === context ||
      this.#gate.at < context.runStartedAt ||
      (!context.isRunning && Math.max(this.#gate.at, context.thawedAt) + LOOK_MS < elapsed);
    if (
      until !== null &&
      isKnown &&
      !isMoved &&
      until > now &&
      until <= now + LONGEST_RETRY_AFTER_MS
    ) {
      fail(
        'retry-after',
        `#${flight.number} of ${context.name} is sent ${until - now} ms before Retry-After ends`,
      );
    }
    for (const promise of this.#promised) {
      const isDigested =
        promise.toldAt + DIGEST_MS < elapsed && promise.context.bornAt < promise.toldAt;
      // What is said of streams is not stored, and so counted by the clock of the process.
      const at = promise.isOfStreams ? promise.toldAt + promise.waitMs : promise.until;
      if (!isDigested || (promise.isOfStreams ? elapsed : now) >= at) continue;
      if (promise.isOfStreams && (flight.kind !== 'events' || promise.context !== context))
        continue;
      if (promise.context.diedAt < promise.toldAt + DIGEST_MS) continue;
      const isRun = flight.kind !== 'events';
      if (isRun && context.runStartedAt < promise.toldAt + DIGEST_MS) continue;
      const left = at - (promise.isOfStreams ? elapsed : now);
      fail('retry-after', `#${flight.number} is sent ${left} ms before the server wants it`);
    }
  }
}

function retryAfterOf(answer: Answer): number | undefined {
  const { headers, status } = answer;
  const text = headers['retry-after'];
  if (text === undefined || status < 400) return undefined;
  if (/^\d+$/.test(text)) return Number(text) * 1_000;
  return Date.parse(text) - Date.parse(headers['date'] ?? '');
}

function keysOf(flight: Flight): readonly string[] {
  return flight.operations.map(({ idempotencyKey }) => idempotencyKey);
}

function laneOfLife({ partition, collection, entity }: Life): string {
  return `${partition}/${collection}/${entity}`;
}

function laneName(operation: WireOperation): string {
  return `${operation.collection}/${operation.entityId}`;
}

function describe(operation: WireOperation): string {
  const { id, operation: kind } = operation;
  return `${id}:${kind} ${laneName(operation)}`;
}
