interface Turn {
  readonly isRead: boolean;
  readonly start: () => void;
}

/** One connection, many callers: each has it to itself in turn, first come, first served. */
export class Turns {
  readonly #waiting: Turn[] = [];
  #isTaken = false;
  #lender: (() => void) | undefined;

  /** Resolves when the turn begins; undefined: it has begun. It lasts until `end`. */
  take(isRead: boolean): Promise<void> | undefined {
    if (!this.#isTaken) {
      this.#isTaken = true;
      return undefined;
    }
    return new Promise((start) => this.#waiting.push({ isRead, start }));
  }

  end(): void {
    const lender = this.#lender;
    if (lender !== undefined) {
      this.#lender = undefined;
      return lender();
    }
    const next = this.#waiting.shift();
    if (next === undefined) this.#isTaken = false;
    else next.start();
  }

  /**
   * Lets the waiting reads go first, called by whoever has the turn and can do nothing with it. A write
   * that waits for another process must not keep the screen from its data.
   */
  async lendToReads(): Promise<void> {
    for (;;) {
      const index = this.#waiting.findIndex((turn) => turn.isRead);
      const [read] = index < 0 ? [] : this.#waiting.splice(index, 1);
      if (read === undefined) return;
      await new Promise<void>((resume) => {
        this.#lender = resume;
        read.start();
      });
    }
  }
}
