/** Long enough to keep the list of chunks short at a million items, short enough to shift cheaply. */
const CHUNK_LENGTH = 256;

interface Position {
  readonly chunk: number;
  readonly offset: number;
}

/**
 * Distinct items in order, in chunks of a few hundred: every operation searches two short arrays and
 * shifts one, so that the millionth item costs about what the first one did.
 */
export class SortedList<T> {
  readonly #compare: (left: T, right: T) => number;
  /** Never holds an empty chunk. */
  readonly #chunks: T[][] = [];
  #size = 0;

  constructor(compare: (left: T, right: T) => number) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#size;
  }

  /** Adds the item, or puts it in the place of its equal, which is returned. */
  set(item: T): T | undefined {
    const position = this.#find((other) => this.#compare(other, item) < 0);
    const found = this.#at(position);
    if (found !== undefined && this.#compare(found, item) === 0) {
      (this.#chunks[position.chunk] as T[])[position.offset] = item;
      return found;
    }
    this.#insert(position, item);
    return undefined;
  }

  /** Removes and returns the item equal to this one. */
  delete(item: T): T | undefined {
    const position = this.#find((other) => this.#compare(other, item) < 0);
    const found = this.#at(position);
    if (found === undefined || this.#compare(found, item) !== 0) return undefined;
    (this.#chunks[position.chunk] as T[]).splice(position.offset, 1);
    this.#size -= 1;
    this.#joinSmall(position.chunk);
    return found;
  }

  /**
   * At most `limit` items between two borders, in order or from the end. `isBefore` holds for a leading
   * part of the list that is left out, `isWithin` for a longer one that ends the range.
   */
  slice(
    isBefore: (item: T) => boolean,
    isWithin: (item: T) => boolean,
    limit: number,
    reverse: boolean,
  ): T[] {
    return reverse
      ? this.#takeBackwards(isBefore, this.#find(isWithin), limit)
      : this.#takeForwards(this.#find(isBefore), isWithin, limit);
  }

  *[Symbol.iterator](): Iterator<T> {
    for (const chunk of this.#chunks) yield* chunk;
  }

  #takeForwards(start: Position, isWithin: (item: T) => boolean, limit: number): T[] {
    const taken: T[] = [];
    let offset = start.offset;
    for (let i = start.chunk; i < this.#chunks.length; i += 1) {
      const chunk = this.#chunks[i] as T[];
      for (; offset < chunk.length; offset += 1) {
        const item = chunk[offset] as T;
        if (taken.length >= limit || !isWithin(item)) return taken;
        taken.push(item);
      }
      offset = 0;
    }
    return taken;
  }

  #takeBackwards(isBefore: (item: T) => boolean, end: Position, limit: number): T[] {
    const taken: T[] = [];
    let offset = end.offset - 1;
    for (let i = end.chunk; i >= 0; i -= 1) {
      const chunk = this.#chunks[i] ?? [];
      for (; offset >= 0; offset -= 1) {
        const item = chunk[offset] as T;
        if (taken.length >= limit || isBefore(item)) return taken;
        taken.push(item);
      }
      offset = (this.#chunks[i - 1]?.length ?? 0) - 1;
    }
    return taken;
  }

  #at(position: Position): T | undefined {
    return this.#chunks[position.chunk]?.[position.offset];
  }

  /** Where the first item stands for which `isBefore` is false; behind the last chunk if there is none. */
  #find(isBefore: (item: T) => boolean): Position {
    const chunk = countLeading(this.#chunks, (items) => isBefore(items.at(-1) as T));
    const items = this.#chunks[chunk];
    return { chunk, offset: items === undefined ? 0 : countLeading(items, isBefore) };
  }

  #insert({ chunk, offset }: Position, item: T): void {
    this.#size += 1;
    const items = this.#chunks[chunk];
    if (items === undefined) return this.#append(item);
    items.splice(offset, 0, item);
    if (items.length > CHUNK_LENGTH) {
      this.#chunks.splice(chunk + 1, 0, items.splice(CHUNK_LENGTH / 2));
    }
  }

  /** Ascending keys fill their chunks, where splitting in the middle would leave them half empty. */
  #append(item: T): void {
    const last = this.#chunks.at(-1);
    if (last === undefined || last.length >= CHUNK_LENGTH) this.#chunks.push([item]);
    else last.push(item);
  }

  #joinSmall(chunk: number): void {
    const items = this.#chunks[chunk] as T[];
    const next = this.#chunks[chunk + 1];
    if (items.length === 0) {
      this.#chunks.splice(chunk, 1);
    } else if (next !== undefined && items.length + next.length < CHUNK_LENGTH / 2) {
      items.push(...next);
      this.#chunks.splice(chunk + 1, 1);
    }
  }
}

/** How many leading items satisfy a predicate that no later item satisfies again. */
function countLeading<T>(items: readonly T[], isLeading: (item: T) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isLeading(items[middle] as T)) low = middle + 1;
    else high = middle;
  }
  return low;
}
