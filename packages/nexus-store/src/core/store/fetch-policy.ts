import { readPullState } from '../sync/pull-state.ts';
import type { CollectionAccess } from './collection-access.ts';
import type { ReadPolicy } from './collection-config.ts';

/** What a read policy asks of the server. */
export class FetchPolicy {
  readonly #access: CollectionAccess<unknown>;

  constructor(access: CollectionAccess<unknown>) {
    this.#access = access;
  }

  #policyOf(policy: ReadPolicy | undefined): ReadPolicy {
    return policy ?? this.#access.config.readPolicy ?? 'cache-first';
  }

  /**
   * What comes before a read.
   *
   * @throws RemoteError with `network-only`, when the server cannot be asked
   */
  async beforeRead(asked: ReadPolicy | undefined): Promise<void> {
    const { core, collection } = this.#access;
    switch (this.#policyOf(asked)) {
      case 'network-only':
        await core.open();
        await core.engine.fetch(collection);
        return;
      case 'network-first':
        await this.#tryFetch();
        return;
      case 'stale-while-revalidate':
        void this.#tryFetch();
        return;
      default:
        return;
    }
  }

  /** What follows a `watch`: the server's news come to it by themselves. */
  behindWatch(asked: ReadPolicy | undefined): void {
    const policy = this.#policyOf(asked);
    if (policy === 'cache-first') void this.afterMiss(asked);
    else if (policy !== 'cache-only') void this.#tryFetch();
  }

  /**
   * Nothing was found here. `cache-first` asks the server if it never did for this collection: once it
   * was fetched, what is not here is not there.
   *
   * @returns true if it is worth looking again
   */
  async afterMiss(asked: ReadPolicy | undefined): Promise<boolean> {
    if (this.#policyOf(asked) !== 'cache-first' || !this.#canFetch) return false;
    const { core, collection } = this.#access;
    // Waiting for a server that just did not answer helps nobody.
    const { rest } = core.status;
    if (rest !== undefined && (rest.isBlocked || rest.heldUntil !== null)) return false;
    try {
      await core.open();
      const { writer, partition } = core;
      const { cursor } = await writer.read((uow) => readPullState(uow, partition, collection));
      return cursor === null && (await this.#tryFetch());
    } catch {
      // The read itself says what is wrong with the storage.
      return false;
    }
  }

  get #canFetch(): boolean {
    const { core, config } = this.#access;
    return core.remote.capabilities.pull && config.pull !== false;
  }

  /** True if the server was asked. */
  async #tryFetch(): Promise<boolean> {
    const { core, collection } = this.#access;
    return this.#canFetch && core.calls.tryFetch(collection);
  }
}
