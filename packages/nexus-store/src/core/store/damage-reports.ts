import type { SyncEvent } from '../model/events.ts';
import { placeOf } from '../model/stored-text.ts';
import type { Key } from '../ports/storage.ts';
import type { Logger } from '../ports/runtime.ts';

/** So many places are remembered; a database with more damage than that is reported as it is read. */
const MEMORY = 10_000;

/** Tells of damaged records, of each once, however often it is read. */
export class DamageReports {
  readonly #logger: Logger;
  readonly #emit: (event: SyncEvent) => void;
  readonly #known = new Set<string>();

  constructor(logger: Logger, emit: (event: SyncEvent) => void) {
    this.#logger = logger;
    this.#emit = emit;
  }

  note(table: string, key: Key): void {
    const detail = placeOf(table, key);
    if (this.#known.has(detail)) return;
    if (this.#known.size >= MEMORY) this.#known.clear();
    this.#known.add(detail);
    this.#logger.log('warn', 'a damaged record was set aside', { record: detail });
    this.#emit({ type: 'record-damaged', table, detail });
  }
}
