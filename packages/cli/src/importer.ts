import { isDeepStrictEqual } from 'node:util';
import { isNexusError, type EntityId, type NexusStore, type SyncPriority } from 'nexus-store';
import type { PriorityOf } from './import-priority.ts';
import type { RecordRead } from './records/record.ts';

export type ImportedRow = Readonly<Record<string, unknown>>;

export interface ImportCounts {
  /** Records met, blank lines aside. */
  read: number;
  saved: number;
  /** The store had the same value already: nothing was queued. */
  unchanged: number;
  invalid: number;
  readonly byPriority: Record<SyncPriority, number>;
}

export interface BadRecord {
  readonly line: number;
  readonly problem: string;
}

export interface ImporterOptions {
  readonly store: NexusStore<ImportedRow, EntityId>;
  readonly idField: string;
  /** Give records the number they have in the file as their id. */
  readonly isNumbered: boolean;
  readonly priorityOf: PriorityOf;
  /** The store has rows already: leave out what it has as it is. */
  readonly compares: boolean;
}

/** So many saves share a few commits, and so many records are in memory. */
export const BATCH_SIZE = 500;

/** What a record can be guilty of; anything else is the database's failure and ends the import. */
const RECORD_FAULTS: ReadonlySet<string> = new Set([
  'usage/missing-id',
  'usage/unsupported-value',
  'queue/entry-too-large',
  'store/invalid-value',
]);

interface Row {
  readonly line: number;
  readonly id: EntityId;
  readonly value: ImportedRow;
  readonly priority: SyncPriority;
}

/** Saves records, batch by batch. Running twice over the same file changes nothing the second time. */
export class Importer {
  readonly counts: ImportCounts = {
    read: 0,
    saved: 0,
    unchanged: 0,
    invalid: 0,
    byPriority: { critical: 0, high: 0, normal: 0, low: 0 },
  };
  readonly #options: ImporterOptions;

  constructor(options: ImporterOptions) {
    this.#options = options;
  }

  /** What is wrong with the batch, by line; all others of it are durable when this resolves. */
  async save(batch: readonly RecordRead[]): Promise<readonly BadRecord[]> {
    const bad: BadRecord[] = [];
    const rows: Row[] = [];
    for (const record of batch) {
      this.counts.read += 1;
      const row = this.#rowOf(record);
      if ('problem' in row) bad.push(row);
      else rows.push(row);
    }
    const changed = this.#options.compares ? await this.#changedOf(rows) : rows;
    this.counts.unchanged += rows.length - changed.length;
    bad.push(...(await this.#saveRows(changed)));
    this.counts.invalid += bad.length;
    return bad.toSorted((a, b) => a.line - b.line);
  }

  #rowOf(record: RecordRead): Row | BadRecord {
    if ('problem' in record) return record;
    const { line, value } = record;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return { line, problem: `a record must be an object, not ${kindOf(value)}` };
    }
    const { idField, isNumbered } = this.#options;
    const row = isNumbered
      ? { [idField]: String(this.counts.read), ...value }
      : (value as ImportedRow);
    const id = Object.hasOwn(row, idField) ? row[idField] : undefined;
    if (typeof id === 'number' && Number.isInteger(id) && !Number.isSafeInteger(id)) {
      return { line, problem: `the id in ${idField} is too large for a number; put it in quotes` };
    }
    if ((typeof id === 'string' && id !== '') || typeof id === 'number') {
      const priority = this.#options.priorityOf(row);
      return typeof priority === 'object'
        ? { line, ...priority }
        : { line, id, value: row, priority };
    }
    return {
      line,
      problem:
        id === undefined
          ? `there is no field ${idField} to take the id from; name another with --id`
          : `the id in ${idField} must be a text or a number, not ${kindOf(id)}`,
    };
  }

  /** A record whose id comes twice in a batch is saved both times: the order of both counts. */
  async #changedOf(rows: readonly Row[]): Promise<readonly Row[]> {
    const { store } = this.#options;
    const times = new Map<EntityId, number>();
    for (const { id } of rows) times.set(id, (times.get(id) ?? 0) + 1);
    const isSame = await Promise.all(
      rows.map(async ({ id, value }) => {
        if (times.get(id) !== 1) return false;
        const stored = await store.get(id, { policy: 'cache-only' });
        return stored !== undefined && isDeepStrictEqual(stored, value);
      }),
    );
    return rows.filter((_, index) => !isSame[index]);
  }

  async #saveRows(rows: readonly Row[]): Promise<readonly BadRecord[]> {
    const { store } = this.#options;
    const results = await Promise.allSettled(
      rows.map(({ value, priority }) => store.save(value, { priority })),
    );
    const bad: BadRecord[] = [];
    for (const [index, result] of results.entries()) {
      const row = rows[index] as Row;
      if (result.status === 'fulfilled') {
        this.counts.saved += 1;
        this.counts.byPriority[row.priority] += 1;
      } else if (isNexusError(result.reason) && RECORD_FAULTS.has(result.reason.code)) {
        bad.push({ line: row.line, problem: result.reason.message });
      } else {
        throw result.reason;
      }
    }
    return bad;
  }
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (value === '') return 'an empty text';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
