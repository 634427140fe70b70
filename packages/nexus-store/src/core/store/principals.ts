import { oneOf, requireOptions, shown, type Kinds } from '../model/arguments.ts';
import { UsageError } from '../model/errors.ts';
import { DURATION, durationMs, type Duration } from '../model/duration.ts';
import { ANONYMOUS, partitionNumber, principalPartition } from '../queue/partitions.ts';
import { readGate, withoutRefusal, writeGate } from '../sync/gate.ts';
import type { Principal } from '../sync/sync-context.ts';
import type { BackendCore } from './backend-core.ts';
import { erasePartition } from './erase-partition.ts';
import { changeSession } from './session.ts';

/** What `signOut` does with writes that were not sent. */
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
const ERASE_COST = 400;
const SIGN_OUT_OPTIONS: Kinds<SignOutOptions> = {
  pending: oneOf('keep', 'flush', 'discard'),
  timeout: DURATION,
};

/** Who is signed in: whose rows are seen, and as whom entries are sent. */
export class Principals {
  readonly #core: BackendCore;

  constructor(core: BackendCore) {
    this.#core = core;
  }

  async signIn(principal: string): Promise<void> {
    if (typeof principal !== 'string' || principal === '') {
      throw new UsageError(
        'usage/invalid-argument',
        `signIn needs the stable id of a user, never a token: a text, not ${typeof principal === 'string' ? 'an empty one' : shown(principal)}`,
      );
    }
    await this.#core.open();
    if (principal === this.#core.principal.id) await this.#renew();
    else await this.#become(principal);
  }

  async signOut(options: SignOutOptions): Promise<void> {
    requireOptions('signOut', options, SIGN_OUT_OPTIONS);
    const { pending = 'keep', timeout } = options;
    const budget = durationMs(timeout ?? FLUSH_BUDGET_MS, 'timeout');
    await this.#core.open();
    if (pending === 'flush') await this.#core.sync({ budget, reason: 'sign-out' });
    await this.#become(null, pending === 'discard');
  }

  /** The same user has new credentials. */
  async #renew(): Promise<void> {
    const { writer, partition } = this.#core;
    await writer.write(async (uow) => {
      writeGate(uow, withoutRefusal(await readGate(uow), partition));
    });
    await this.#core.status.refreshNow();
    this.#core.wake();
  }

  /**
   * What is under way was sent as somebody else: it ends first, and is known to be unknown. Nothing is
   * sent in between, so no request ever carries one user's entries and another's credentials.
   */
  async #become(id: string | null, isErased = false): Promise<void> {
    const core = this.#core;
    const { partition } = core;
    await core.engine.exclusively(async () => {
      core.principal = await this.#store(id);
      if (isErased) await this.#erase(partition);
    });
    await core.onPrincipal();
  }

  async #store(id: string | null): Promise<Principal> {
    return this.#core.writer.write(async (uow) => {
      const partition =
        id === null ? ANONYMOUS : await partitionNumber(uow, principalPartition(id));
      const gate = await readGate(uow);
      if (gate.unauthorised.includes(partition)) writeGate(uow, withoutRefusal(gate, partition));
      await changeSession(uow, { principal: id });
      return { partition, id };
    });
  }

  async #erase(partition: number): Promise<void> {
    const { writer, fates } = this.#core;
    while (await writer.write((uow) => erasePartition(uow, partition), { cost: ERASE_COST }));
    fates.onErased(partition);
  }
}
