import { NAME, oneOf, requireOptions, shown, type Kinds } from '../model/arguments.ts';
import { UsageError } from '../model/errors.ts';
import { DURATION, durationMs, type Duration } from '../model/duration.ts';
import { detachPartition, knownPartition, userPartition } from '../queue/partitions.ts';
import { readGate, withoutRefusal, withoutTextOf, writeGate } from '../sync/gate.ts';
import type { Principal } from '../sync/sync-context.ts';
import type { BackendCore } from './backend-core.ts';
import { changeSession, readSession } from './session.ts';

/**
 * What `signOut` does with writes that were not sent.
 *
 * - `keep`: they wait until the same user is back.
 * - `flush`: they are sent first, as far as there is time; what is left is kept.
 * - `discard`: they are erased, with everything else of the user that is on this device. SQLite overwrites
 *   it; of browsers' databases, and of flash, nobody can tell what is left in them until it is written over.
 */
export type PendingOnSignOut = 'keep' | 'flush' | 'discard';

export interface SignOutOptions {
  /** @defaultValue `'keep'` */
  readonly pending?: PendingOnSignOut;
  /**
   * How long `'flush'` may take.
   *
   * @defaultValue `'10s'`
   */
  readonly timeout?: Duration;
}

const FLUSH_BUDGET_MS = 10_000;
const SIGN_OUT_OPTIONS: Kinds<SignOutOptions> = {
  pending: oneOf('keep', 'flush', 'discard'),
  timeout: DURATION,
};

/** Says nothing of a text, which may be a token. */
function notAnId(principal: unknown): UsageError {
  const given =
    typeof principal !== 'string'
      ? shown(principal)
      : principal === ''
        ? 'an empty one'
        : 'one with half a surrogate pair';
  return new UsageError(
    'usage/invalid-argument',
    `signIn needs the stable id of a user, never a token: a text, not ${given}`,
  );
}

/** Who is signed in: whose rows are seen, and as whom entries are sent. */
export class Principals {
  readonly #core: BackendCore;

  constructor(core: BackendCore) {
    this.#core = core;
  }

  async signIn(principal: string): Promise<void> {
    if (!NAME.fits(principal)) throw notAnId(principal);
    await this.#core.open();
    if (await this.#isSignedIn(principal)) await this.#renew();
    else await this.#become(principal);
  }

  async signOut(options: SignOutOptions): Promise<void> {
    requireOptions('signOut', options, SIGN_OUT_OPTIONS);
    const { pending = 'keep', timeout } = options;
    const budget = durationMs(timeout ?? FLUSH_BUDGET_MS, 'timeout');
    await this.#core.open();
    if (pending === 'flush') await this.#core.calls.sync({ budget, reason: 'sign-out' });
    await this.#become(null, pending === 'discard');
  }

  /** False as well if another context has signed the user out, and this one has not heard of it. */
  async #isSignedIn(id: string): Promise<boolean> {
    const { writer, principal } = this.#core;
    if (id !== principal.id) return false;
    const [session, partition] = await writer.read((uow) =>
      Promise.all([readSession(uow), knownPartition(uow, id)]),
    );
    return session.principal === id && partition === principal.partition;
  }

  /** The same user has new credentials. */
  async #renew(): Promise<void> {
    const { writer, partition } = this.#core;
    await writer.write(async (uow) => {
      writeGate(uow, withoutRefusal(await readGate(uow), partition));
    });
    await this.#core.status.refreshNow();
    this.#core.calls.wake();
  }

  /**
   * What is under way was sent as somebody else: it ends first, and is known to be unknown. Nothing is
   * sent in between, so no request ever carries one user's entries and another's credentials.
   */
  async #become(id: string | null, isErased = false): Promise<void> {
    const core = this.#core;
    const discarded = await core.engine.exclusively(async () => {
      // Whoever is signed in by now: another call may have been before this one.
      const whom = isErased ? core.principal : null;
      core.principal = await this.#store(id, whom);
      return whom;
    });
    if (discarded === null) return core.onPrincipal();
    core.fates.onErased(discarded.partition);
    const erasing = core.eraser.erase(discarded.partition);
    // It is waited for below, and goes on in any case.
    erasing.catch(() => {});
    await core.onPrincipal();
    await erasing;
  }

  /**
   * From this commit on somebody else is signed in, and what is discarded is nobody's: a process that dies
   * right after it has discarded it all the same.
   */
  async #store(id: string | null, discarded: Principal | null): Promise<Principal> {
    return this.#core.writer.write(async (uow) => {
      if (discarded !== null) await detachPartition(uow, discarded.id, discarded.partition);
      const partition = await userPartition(uow, id);
      const stored = await readGate(uow);
      let gate = stored;
      for (const one of [partition, discarded?.partition])
        if (one !== undefined && gate.unauthorised.includes(one)) gate = withoutRefusal(gate, one);
      if (discarded !== null) gate = withoutTextOf(gate, discarded.partition);
      if (gate !== stored) writeGate(uow, gate);
      await changeSession(uow, { principal: id });
      return { partition, id };
    });
  }
}
