import type { RowRecord } from '../queue/records.ts';
import type { ChangedRow } from '../queue/unit-of-work.ts';
import type { Writer } from '../queue/writer.ts';

/** Writers wait for a transaction that reads: it reads no more rows than this. */
const MOST_AT_ONCE = 500;

interface Asked {
  readonly key: ChangedRow;
  readonly resolve: (row: RowRecord | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Rows for those who watch them. What is asked for in one turn is read together: when another context has
 * written, every watched row is looked at again, and a browser in which two tabs have the database open takes
 * half a minute to put two thousand transactions in order.
 */
export class JoinedRows {
  readonly #writer: Writer;
  readonly #asked: Asked[] = [];
  #isReading = false;

  constructor(writer: Writer) {
    this.#writer = writer;
  }

  read(key: ChangedRow): Promise<RowRecord | undefined> {
    return new Promise((resolve, reject) => {
      this.#asked.push({ key, resolve, reject });
      if (!this.#isReading) void this.#readAll();
    });
  }

  async #readAll(): Promise<void> {
    this.#isReading = true;
    await Promise.resolve();
    while (this.#asked.length > 0) await this.#readSome(this.#asked.splice(0, MOST_AT_ONCE));
    this.#isReading = false;
  }

  async #readSome(asked: readonly Asked[]): Promise<void> {
    try {
      const rows = await this.#writer.read(async (uow) => {
        await uow.preloadRows(asked.map(({ key }) => key));
        return Promise.all(
          asked.map(({ key: { partition, collection, id } }) => uow.row(partition, collection, id)),
        );
      });
      asked.forEach(({ resolve }, index) => resolve(rows[index]));
    } catch (error) {
      for (const { reject } of asked) reject(error);
    }
  }
}
