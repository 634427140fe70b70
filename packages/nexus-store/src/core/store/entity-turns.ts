import type { EntityId } from '../model/entry.ts';

/**
 * What is done for one entity goes one after the other. Two requests side by side may reach the server in
 * either order, and their answers come back in either: nobody could tell which value the server has.
 */
export class EntityTurns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs `body` once all that was asked for earlier has ended, well or not. */
  async take<R>(
    partition: number,
    collection: string,
    id: EntityId,
    body: () => Promise<R>,
  ): Promise<R> {
    const key = JSON.stringify([partition, collection, id]);
    const earlier = this.#last.get(key);
    const done = earlier === undefined ? body() : earlier.then(body, body);
    this.#last.set(key, done);
    try {
      return await done;
    } finally {
      if (this.#last.get(key) === done) this.#last.delete(key);
    }
  }
}
