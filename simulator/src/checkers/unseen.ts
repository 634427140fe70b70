import type { Commit } from '../world/disk.ts';
import { laneName } from '../world/records.ts';
import type { Applied } from '../world/server.ts';
import type { Scene } from './scene.ts';

interface Learned {
  readonly commit: number;
  readonly change: number;
}

/**
 * Nobody's change is overwritten by a write that was made without knowing of it: an update or a delete takes
 * effect only if the last change by another device was known here when the write was made, or when somebody
 * decided about the conflict. Patches and values alike; a command is the server's own work.
 */
export class UnseenRule {
  readonly #scene: Scene;
  /** By lane, the newest version that each commit brought. */
  readonly #learned = new Map<string, Learned[]>();

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  onCommit(commit: Commit): void {
    for (const { before, after } of commit.rows) {
      const row = after ?? before;
      if (row === undefined) continue;
      const lane = laneName(row.partition, row.collection, row.id);
      // Of a deleted row nothing is kept: whatever it was, it is known.
      if (after === undefined) this.#learn(lane, Infinity);
      else if (after.version !== null) this.#learn(lane, Number(after.version.slice(1)));
    }
  }

  #learn(lane: string, change: number): void {
    const known = this.#learned.get(lane) ?? [];
    this.#learned.set(lane, known);
    if (change > (known.at(-1)?.change ?? 0))
      known.push({ commit: this.#scene.disk.commits, change });
  }

  onApplied({ operation, foreign }: Applied): void {
    const { history, fail } = this.#scene;
    if (foreign === 0 || operation.base === undefined) return;
    if (operation.operation !== 'update' && operation.operation !== 'delete') return;
    const life = history.ofKey(operation.idempotencyKey);
    if (life === undefined || life.wasForgotten) return;
    const lane = laneName(life.partition, life.collection, life.entity);
    const known = this.#learned.get(lane) ?? [];
    const newest = known.filter(({ commit }) => commit <= life.madeIn).at(-1)?.change ?? 0;
    if (newest >= foreign) return;
    const what = `${life.collection} ${life.entity}`;
    fail(
      'unseen',
      `e${life.seq} (${operation.operation}) overwrites v${foreign} of ${what}, which was not known when it was made`,
    );
  }
}
