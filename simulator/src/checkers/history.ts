import { detailOf, type EntryOnDisk } from '../world/records.ts';

/** All that is known of one entry over its whole life. */
export interface Life {
  readonly seq: number;
  readonly partition: number;
  readonly collection: string;
  readonly entity: string;
  readonly keys: Set<string>;
  after: readonly number[];
  readonly group: string | undefined;
  /** The entry as it was last in the database. */
  last: EntryOnDisk;
  isGone: boolean;
  /** The context that took it out of the queue. */
  goneBy: string | undefined;
  /** The key under which the server applied it. */
  appliedKey: string | undefined;
  /** The commit that brought it, or brought it back to its lane. */
  bornIn: number;
  /** The commit in which it was given up and left its lane; retried, it is a mutation made now. */
  detachedIn: number | undefined;
  /** The rows and entries of its user were erased. */
  isErased: boolean;
  /** Someone was told that it was cancelled: it must never take effect. */
  isCancelled: boolean;
}

/** What happened to every entry, gathered from commits. */
export class History {
  readonly lives = new Map<number, Life>();
  readonly #ownerOfKey = new Map<string, Life>();
  /** Commits were lost: that something was sent may be forgotten. */
  hasLostCommits = false;
  /** What each key stood for when it was first sent, and with which request. */
  readonly sentAs = new Map<string, { readonly fingerprint: string; readonly flight: number }>();
  /** Keys that the server answered with a conflict. */
  readonly conflicted = new Set<string>();
  readonly rejected = new Set<string>();
  /** Entries that met their delete, or were cancelled, in the commit that would have brought them. */
  readonly vanished = new Set<string>();
  /** Entities of which a write was skipped: the app goes on seeing it. */
  readonly skipped = new Set<string>();

  ofKey(key: string): Life | undefined {
    return this.#ownerOfKey.get(key);
  }

  /** @param commit its number */
  record(entry: EntryOnDisk, commit: number): void {
    let life = this.lives.get(entry.seq);
    if (life === undefined) {
      const { after = [], group } = detailOf(entry);
      const { seq, partition, collection, entity } = entry;
      life = {
        seq,
        partition,
        collection,
        entity,
        keys: new Set(),
        after,
        group,
        last: entry,
        isGone: false,
        goneBy: undefined,
        bornIn: commit,
        detachedIn: undefined,
        isErased: false,
        appliedKey: undefined,
        isCancelled: false,
      };
      this.lives.set(seq, life);
    }
    const isBack = detailOf(life.last).isDetached === true && detailOf(entry).isDetached !== true;
    if (isBack) {
      life.bornIn = commit;
      life.after = detailOf(entry).after ?? [];
    }
    life.last = entry;
    life.isGone = false;
    if (detailOf(entry).isDetached === true) life.detachedIn = commit;
    life.keys.add(entry.idempotencyKey);
    // A dead letter whose fate is unknown keeps its key when it comes back as a new entry.
    this.#ownerOfKey.set(entry.idempotencyKey, life);
  }

  /** True if a later entry that names this one need not wait for it. */
  isReleased(prerequisite: number, dependent: number): boolean {
    const earlier = this.lives.get(prerequisite);
    const later = this.lives.get(dependent);
    if (earlier === undefined || later === undefined) return true;
    return earlier.detachedIn !== undefined && earlier.detachedIn >= later.bornIn;
  }

  /**
   * A loss of power has undone commits: numbers will be given out again, what was cancelled is back, and
   * that an entry was sent may be forgotten.
   */
  forgetFrom(nextSeq: number): void {
    for (const [seq, life] of this.lives) {
      if (seq >= nextSeq) this.lives.delete(seq);
      else life.isCancelled = false;
    }
    this.sentAs.clear();
    this.hasLostCommits = true;
  }
}
