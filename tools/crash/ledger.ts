import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import type { Write } from './operations.ts';

/** A write that was acknowledged, and to which device's app. */
export interface LedgerLine {
  readonly device: number;
  readonly write: Write;
}

/** What apps were told is safe, on a disk that no kill reaches. */
export class Ledger {
  readonly path: string;
  readonly #file: number;
  #waiting = '';

  constructor(path: string) {
    this.path = path;
    this.#file = openSync(path, 'a');
  }

  append(line: LedgerLine): void {
    if (this.#waiting === '') setImmediate(() => this.flush());
    this.#waiting += `${JSON.stringify(line)}\n`;
  }

  flush(): void {
    if (this.#waiting === '') return;
    writeSync(this.#file, this.#waiting);
    this.#waiting = '';
    fsyncSync(this.#file);
  }

  /** Closes it and reads it again from the disk. */
  readAll(): readonly LedgerLine[] {
    this.flush();
    closeSync(this.#file);
    return readFileSync(this.path, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as LedgerLine);
  }
}
