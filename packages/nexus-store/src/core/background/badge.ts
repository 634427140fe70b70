/** Shows a count by a call that may take its time: one call at a time, and the last one with the latest. */
export class Badge {
  readonly #show: (count: number) => void | Promise<void>;
  readonly #onError: (error: unknown) => void;
  #wanted = 0;
  #shown: number | undefined;
  #isShowing = false;

  constructor(show: (count: number) => void | Promise<void>, onError: (error: unknown) => void) {
    this.#show = show;
    this.#onError = onError;
  }

  /** Never rejects. */
  async set(count: number): Promise<void> {
    this.#wanted = count;
    if (this.#isShowing) return;
    this.#isShowing = true;
    while (this.#shown !== this.#wanted) {
      this.#shown = this.#wanted;
      try {
        await this.#show(this.#wanted);
      } catch (error) {
        this.#onError(error);
      }
    }
    this.#isShowing = false;
  }
}
