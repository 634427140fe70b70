import { resultOf } from './requests.ts';
import { SHARED_STORE } from './table.ts';

/** Whose it is, and the number; the key is whose it is as well. */
type Mark = readonly [by: string, commits: number];

/** Where they are in the shared store. No table can have this name. */
const MARKS = '~commits';
const ALL_MARKS = (): IDBKeyRange => IDBKeyRange.bound([MARKS], [MARKS, []]);
/** The sum of what was folded away. */
const FOLDED = '';
/** Marks of contexts that are long gone are folded together beyond this many. */
const MOST_MARKS = 64;

/**
 * How contexts notice each other's commits: each one puts a growing number of its own beside every commit.
 * The sum of the others' numbers differs from the last sum exactly if one of them has committed since. A
 * put without a read is the cheapest mark there is.
 */
export class CommitMarks {
  readonly #own: string = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
  #commits = 0;
  #isCrowded = false;

  /** Marks the commit of this transaction. */
  mark(transaction: IDBTransaction): void {
    this.#commits += 1;
    transaction.objectStore(SHARED_STORE).put([this.#own, this.#commits], [MARKS, this.#own]);
  }

  /** The sum of the others' numbers, as this transaction sees it. */
  async foreignIn(transaction: IDBTransaction): Promise<number> {
    const request = transaction.objectStore(SHARED_STORE).getAll(ALL_MARKS()) as IDBRequest<Mark[]>;
    const marks = await resultOf(request);
    this.#isCrowded = marks.length > MOST_MARKS;
    return this.#sumOfOthers(marks);
  }

  /** The same in a transaction of its own. */
  async foreign(database: IDBDatabase): Promise<number> {
    return await this.foreignIn(database.transaction(SHARED_STORE));
  }

  /**
   * Adds up all marks but one's own, if the last look found many: every page that ever wrote has left one,
   * and all of them are read at the beginning of each transaction. A context that is still there goes on with its own number, which then
   * counts twice: sums only ever grow, and that is all they are for.
   */
  fold(database: IDBDatabase): void {
    if (!this.#isCrowded) return;
    this.#isCrowded = false;
    const transaction = database.transaction(SHARED_STORE, 'readwrite', { durability: 'relaxed' });
    const store = transaction.objectStore(SHARED_STORE);
    const request = store.getAll(ALL_MARKS()) as IDBRequest<Mark[]>;
    request.onsuccess = () => {
      for (const [by] of request.result) if (by !== this.#own) store.delete([MARKS, by]);
      store.put([FOLDED, this.#sumOfOthers(request.result)], [MARKS, FOLDED]);
    };
  }

  #sumOfOthers(marks: readonly Mark[]): number {
    return marks.reduce((sum, [by, count]) => (by === this.#own ? sum : sum + count), 0);
  }
}
