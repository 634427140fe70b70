import { entryBytes, type EntryRecord } from '../queue/records.ts';
import type { EngineOptions } from './sync-options.ts';

/** A request that was refused for its size, until an entry of it turns out to be too large by itself. */
interface Oversize {
  readonly seqs: ReadonlySet<number>;
  readonly units: number;
  readonly bytes: number;
}

/** How much a request may carry. */
interface RequestSize {
  readonly entries: number;
  readonly bytes: number;
}

/** How much the next request may carry, as the answers to those before have taught. */
export class RequestLimit {
  readonly #most: RequestSize;
  #oversizes: readonly Oversize[] = [];
  /** The largest request that the server took. */
  #provenBytes = 0;
  #limit: RequestSize;

  constructor({ batchSize, maxBatchBytes }: EngineOptions, maxBatch: number) {
    const entries = Math.max(1, Math.min(batchSize, maxBatch));
    this.#most = { entries, bytes: maxBatchBytes };
    this.#limit = this.#most;
  }

  get entries(): number {
    return this.#limit.entries;
  }

  get bytes(): number {
    return this.#limit.bytes;
  }

  /** The server refused this one, of so many units, for its size. */
  shrink(refused: readonly EntryRecord[], units: number): void {
    const seqs = new Set(refused.map(({ seq }) => seq));
    this.#oversizes = [...this.#oversizes, { seqs, units, bytes: bytesOf(refused) }];
    this.#limit = least([this.#limit, this.#cap]);
  }

  /** From here on they go one by one, until one is taken. */
  isolate(): void {
    this.#limit = { ...this.#limit, entries: 1 };
  }

  /** The server took this one. */
  grow(taken: readonly EntryRecord[]): void {
    const takenBytes = bytesOf(taken);
    this.#provenBytes = Math.max(this.#provenBytes, takenBytes);
    const { entries, bytes } = this.#limit;
    this.#limit = least([{ entries: entries * 2, bytes: bytes * 2 }, this.#cap]);
  }

  /**
   * These are too large by themselves, so every refusal of a request that carried them is explained, and
   * limits nothing any more. What was refused without them shows what the server takes in one request.
   */
  explain(culprits: readonly EntryRecord[]): void {
    this.#oversizes = this.#oversizes.filter(
      ({ seqs }) => !culprits.some(({ seq }) => seqs.has(seq)),
    );
  }

  /** What requests may grow to: half of what was refused for its size, and nobody knows why. */
  get #cap(): RequestSize {
    const halves = this.#oversizes.map(({ units, bytes }): RequestSize => {
      // As many bytes as that were taken before: the server counts entries.
      return bytes <= this.#provenBytes
        ? { entries: Math.max(1, Math.floor(units / 2)), bytes: Infinity }
        : { entries: Infinity, bytes: Math.floor(bytes / 2) };
    });
    return least([this.#most, ...halves]);
  }
}

function bytesOf(batch: readonly EntryRecord[]): number {
  return batch.reduce((sum, { payload }) => sum + entryBytes(payload), 0);
}

function least(sizes: readonly RequestSize[]): RequestSize {
  return {
    entries: Math.min(...sizes.map(({ entries }) => entries)),
    bytes: Math.min(...sizes.map(({ bytes }) => bytes)),
  };
}
