/** What happened, line by line, and a hash of it: the same seed gives the same hash. */
export class Trace {
  readonly lines: string[] = [];
  readonly #isKept: boolean;
  #hash = 0x811c_9dc5;

  constructor(isKept: boolean) {
    this.#isKept = isKept;
  }

  add(line: string): void {
    let hash = this.#hash;
    for (let index = 0; index < line.length; index += 1) {
      hash = Math.imul(hash ^ line.charCodeAt(index), 0x0100_0193);
    }
    this.#hash = hash;
    if (this.#isKept) this.lines.push(line);
  }

  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0');
  }
}
