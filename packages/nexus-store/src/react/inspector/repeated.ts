/** Repeats a reading when asked, one at a time, and not more often than the gap allows. */
export class Repeated {
  readonly #gapMs: number;
  readonly #read: () => Promise<void>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isReading = false;
  #isWanted = false;
  #isStopped = false;

  constructor(gapMs: number, read: () => Promise<void>) {
    this.#gapMs = gapMs;
    this.#read = read;
  }

  soon(): void {
    this.#isWanted = true;
    if (!this.#isReading && this.#timer === undefined) void this.#go();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  async #go(): Promise<void> {
    if (this.#isStopped) return;
    this.#isWanted = false;
    this.#isReading = true;
    await this.#read();
    this.#isReading = false;
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#isWanted) void this.#go();
    }, this.#gapMs);
  }
}
