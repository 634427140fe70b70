import { canonical } from '../checkers/records-agree.ts';
import type { Operation, PlannedWrite } from '../plan/operations.ts';
import type { AppContext } from '../world/app-context.ts';
import { commandArgs, patchedFields, savedValue, type Value } from '../world/collections.ts';
import type { World } from '../world/world.ts';
import { PlannedError } from './begin.ts';
import { wishing } from './wishes.ts';
import { checkUnwritten, kept, optionsOf } from './writes.ts';

type Of<Kind extends Operation['do']> = Extract<Operation, { do: Kind }>;
type Stores = Parameters<Parameters<AppContext['backend']['transaction']>[0]>[0];

export async function transaction(
  world: World,
  context: AppContext,
  { writes, undone, throws, reads }: Of<'transaction'>,
): Promise<unknown> {
  const outer = undone === 0 ? writes : writes.slice(0, -undone);
  const inner = undone === 0 ? [] : writes.slice(-undone);
  const options = new Map(writes.map((planned) => [planned, optionsOf(world, planned)]));
  await wishing(world, 'vanish', () =>
    kept(world, context, writes, async () => {
      await context.backend.transaction(async (tx) => {
        // The body may run again: what it has written so far begins anew.
        const staged = new Staged(world, context, reads === true);
        for (const planned of outer) await staged.add(tx, planned, options.get(planned));
        if (inner.length > 0) {
          await tx
            .transaction(async (nested) => {
              const within = staged.nested();
              for (const planned of inner) await within.add(nested, planned, options.get(planned));
              throw new PlannedError('the inner transaction fails');
            })
            .catch((error: unknown) => {
              if (!(error instanceof PlannedError)) throw error;
            });
          await staged.check(tx, outer);
        }
        if (throws) throw new PlannedError('the transaction fails');
      });
      return [];
    }),
  );
  if (context.isAlive) checkUnwritten(world, inner, 'an inner transaction that failed');
  return undefined;
}

/** What one run of a body has written so far, and must read again. */
class Staged {
  readonly #world: World;
  readonly #context: AppContext;
  readonly #reads: boolean;
  /** By entity: the token of the last write of its value, null for a delete. */
  readonly #tokens: Map<string, number | null>;

  constructor(
    world: World,
    context: AppContext,
    reads: boolean,
    tokens: ReadonlyMap<string, number | null> = new Map(),
  ) {
    this.#world = world;
    this.#context = context;
    this.#reads = reads;
    this.#tokens = new Map(tokens);
  }

  nested(): Staged {
    return new Staged(this.#world, this.#context, this.#reads, this.#tokens);
  }

  async add(tx: Stores, planned: PlannedWrite, options: ReturnType<typeof optionsOf> | undefined) {
    const { kind, id, token, collection } = planned;
    const { version } = this.#context;
    const store = tx.store(this.#context.stores[collection]);
    const read = this.#reads ? await this.#read(tx, planned) : undefined;
    if (kind === 'save') {
      const value = savedValue(planned, version);
      const isFirst = !this.#tokens.has(`${collection}/${id}`);
      const isMade = this.#reads && isFirst;
      await store.save(isMade ? { ...value, was: [token, read?.token ?? null] } : value, options);
    } else if (kind === 'patch') await store.patch(id, patchedFields(planned, version), options);
    else if (kind === 'delete') await store.delete(id, options);
    else await store.command(id, 'add', commandArgs(planned), options);
    if (kind !== 'command')
      this.#tokens.set(`${collection}/${id}`, kind === 'delete' ? null : token);
  }

  /** After an inner transaction was undone, what is read is what stood before it. */
  async check(tx: Stores, writes: readonly PlannedWrite[]): Promise<void> {
    if (!this.#reads) return;
    for (const planned of writes) await this.#read(tx, planned);
  }

  async #read(tx: Stores, { collection, id }: PlannedWrite): Promise<Value | undefined> {
    const value = await tx.store(this.#context.stores[collection]).get(id);
    const written = this.#tokens.get(`${collection}/${id}`);
    if (written !== undefined && (value?.token ?? null) !== written) {
      this.#world.fail(
        'read-in-transaction',
        `${collection}/${id} reads ${canonical(value ?? null)} after the write ${written}`,
      );
    }
    return value;
  }
}
