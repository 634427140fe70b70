import type { Logger, Timers } from '../ports/runtime.ts';
import { StorageError } from '../model/errors.ts';
import type { Writer } from '../queue/writer.ts';
import { erasePartition } from './erase-partition.ts';

/** Where an erasure that was cut off goes on by itself, and after how long it is tried again. */
const RETRY_MS = 30_000;
const STEP = 400;

export interface EraserSources {
  readonly writer: Writer;
  readonly timers: Timers;
  readonly logger: Logger;
}

/**
 * Erases partitions that were taken from their users, step by step, so that nobody waits for long. What is
 * still to be erased stands in the database: whoever opens it next goes on.
 */
export class Eraser {
  readonly #sources: EraserSources;
  readonly #underWay = new Map<number, Promise<void>>();
  readonly #retries = new Map<number, () => void>();
  #step = STEP;
  #isClosed = false;

  constructor(sources: EraserSources) {
    this.#sources = sources;
  }

  /** So many records in one commit. */
  setStep(count: number): void {
    this.#step = count;
  }

  /** Goes on with what an earlier process, or another context, has begun. */
  resume(partitions: readonly number[]): void {
    for (const partition of partitions) this.erase(partition).catch(() => {});
  }

  /**
   * Resolves once nothing is left. If it fails it goes on later, by itself.
   *
   * @throws StorageError if the database failed
   */
  erase(partition: number): Promise<void> {
    let erasing = this.#underWay.get(partition);
    if (erasing === undefined) {
      erasing = this.#erase(partition).finally(() => this.#underWay.delete(partition));
      this.#underWay.set(partition, erasing);
    }
    return erasing;
  }

  close(): void {
    this.#isClosed = true;
    for (const cancel of this.#retries.values()) cancel();
    this.#retries.clear();
  }

  async #erase(partition: number): Promise<void> {
    const { writer } = this.#sources;
    const step = (): Promise<boolean> =>
      writer.write((uow) => erasePartition(uow, partition, this.#step), { cost: this.#step });
    try {
      do {
        if (this.#isClosed) throw new StorageError('storage/closed', 'this backend was closed');
      } while (await step());
    } catch (error) {
      this.#retryLater(partition, error);
      throw error;
    }
  }

  #retryLater(partition: number, error: unknown): void {
    const { timers, logger } = this.#sources;
    if (this.#isClosed) return;
    logger.log('error', 'what was discarded could not be erased yet', { error: String(error) });
    this.#retries.get(partition)?.();
    const cancel = timers.after(RETRY_MS, () => {
      this.#retries.delete(partition);
      this.resume([partition]);
    });
    this.#retries.set(partition, cancel);
  }
}
