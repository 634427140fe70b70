import { detailOf, type EntryOnDisk } from '../world/records.ts';

/** All that is known of one entry over its whole life. */
export interface Life {
  readonly seq: number;
  readonly partition: number;
  /** Whose it is. */
  readonly owner: string;
  readonly collection: string;
  readonly entity: string;
  readonly keys: Set<string>;
  after: readonly number[];
  readonly group: string | undefined;
  /** The entry as it was last in the database. */
  last: EntryOnDisk;
  isGone: boolean;
  /** The key under which the server applied it. */
  appliedKey: string | undefined;
  /** The commit that brought it, or brought it back to its lane. */
  bornIn: number;
  /** The commit that brought what it carries and the key under which it is sent. */
  madeIn: number;
  /** The commit in which it was given up and left its lane; retried, it is a mutation made now. */
  detachedIn: number | undefined;
  /** The seq of the entry that stands for this one as well. */
  foldedInto: number | undefined;
  /** The rows and entries of its user were erased. */
  isErased: boolean;
  /** Its user has signed out and discarded everything: it must never be claimed again, and go. */
  isDiscarded: boolean;
  /** Someone was told that it was cancelled: it must never take effect. */
  isCancelled: boolean;
  /** A loss of power took back something that was done with it, as if it had not happened. */
  wasForgotten: boolean;
  /** Keys under which requests from before that may still take effect: nobody here knows of them. */
  readonly ghosts: Set<string>;
}

/** What happened to every entry, gathered from commits. */
export class History {
  readonly lives = new Map<number, Life>();
  readonly #ownerOfKey = new Map<string, Life>();
  /** What each key stood for when it was first sent, and with which request. */
  readonly sentAs = new Map<string, { readonly fingerprint: string; readonly flight: number }>();
  /** Keys that the server answered with a conflict. */
  readonly conflicted = new Set<string>();
  readonly rejected = new Set<string>();
  /** Entries that met their delete, or were cancelled, in the commit that would have brought them. */
  readonly vanished = new Set<string>();
  /** Entities of which a write was skipped: the app goes on seeing it. */
  readonly skipped = new Set<string>();
  /** Entities that were written here without ever being sent. */
  readonly local = new Set<string>();

  ofKey(key: string): Life | undefined {
    return this.#ownerOfKey.get(key);
  }

  /** @param commit its number */
  record(entry: EntryOnDisk, commit: number, owner = 'nobody'): void {
    let life = this.lives.get(entry.seq);
    if (life === undefined) {
      const { after = [], group } = detailOf(entry);
      const { seq, partition, collection, entity } = entry;
      life = {
        seq,
        partition,
        owner,
        collection,
        entity,
        keys: new Set(),
        after,
        group,
        last: entry,
        isGone: false,
        bornIn: commit,
        madeIn: commit,
        detachedIn: undefined,
        foldedInto: undefined,
        isErased: false,
        isDiscarded: false,
        appliedKey: undefined,
        isCancelled: false,
        wasForgotten: false,
        ghosts: new Set(),
      };
      this.lives.set(seq, life);
    }
    const isBack = detailOf(life.last).isDetached === true && detailOf(entry).isDetached !== true;
    if (isBack) {
      life.bornIn = commit;
      life.after = detailOf(entry).after ?? [];
    }
    const { last } = life;
    if (last.payload !== entry.payload || last.idempotencyKey !== entry.idempotencyKey)
      life.madeIn = commit;
    life.last = entry;
    life.isGone = false;
    if (detailOf(entry).isDetached === true) life.detachedIn = commit;
    life.keys.add(entry.idempotencyKey);
    // A dead letter whose fate is unknown keeps its key when it comes back as a new entry.
    this.#ownerOfKey.set(entry.idempotencyKey, life);
  }

  /** What an entry was to do is done by another one; who comes after it comes after that one. */
  fold(gone: number, into: number): void {
    for (const life of this.lives.values()) {
      if (life.seq === gone) life.foldedInto = into;
      if (life.after.includes(gone))
        life.after = life.after.map((seq) => (seq === gone ? into : seq));
    }
  }

  /** The life that decides what becomes of this one. */
  deciding(life: Life): Life {
    const into = life.foldedInto === undefined ? undefined : this.lives.get(life.foldedInto);
    return into === undefined ? life : this.deciding(into);
  }

  /** True if a later entry that names this one need not wait for it. */
  isReleased(prerequisite: number, dependent: number): boolean {
    const earlier = this.lives.get(prerequisite);
    const later = this.lives.get(dependent);
    if (earlier === undefined || later === undefined) return true;
    return earlier.detachedIn !== undefined && earlier.detachedIn >= later.bornIn;
  }

  /**
   * A loss of power has undone commits. Relaxed storage promises that what is left is what was there before
   * them, no more: so what they did with these entries counts as not done. An entry may be applied once more,
   * or be cancelled although a server has it, but only once, and only one of these.
   *
   * @param touched the entries that the lost commits touched
   * @param left all entries on disk now
   * @param inTheAir keys of requests whose sender died before their answer came
   */
  forget(
    touched: ReadonlySet<number>,
    left: readonly EntryOnDisk[],
    inTheAir: ReadonlySet<string>,
  ): void {
    const present = new Map(left.map((entry) => [entry.seq, entry]));
    for (const seq of touched) {
      const life = this.lives.get(seq);
      if (life === undefined) continue;
      const entry = present.get(seq);
      // Its number will be given out again.
      if (entry === undefined) this.lives.delete(seq);
      for (const key of life.keys) {
        this.sentAs.delete(key);
        if (key !== entry?.idempotencyKey || inTheAir.has(key)) life.ghosts.add(key);
      }
      life.wasForgotten = true;
      life.isCancelled = false;
      life.appliedKey = undefined;
      life.detachedIn = undefined;
    }
  }
}
