import type { SyncEvent } from '../model/events.ts';
import type { Logger } from '../ports/runtime.ts';

/** Tells listeners of every edge. A listener that throws harms nobody else. */
export class EventHub {
  readonly #logger: Logger;
  readonly #listeners = new Set<(event: SyncEvent) => void>();
  #isClosed = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  get hasListeners(): boolean {
    return this.#listeners.size > 0;
  }

  on(listener: (event: SyncEvent) => void): () => void {
    // Wrapped, so that one function that listens twice is called and removed twice.
    const own = (event: SyncEvent): void => listener(event);
    if (!this.#isClosed) this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  emit(event: SyncEvent): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(event);
      } catch (error) {
        const fields = { event: event.type, error: String(error) };
        this.#logger.log('error', 'an event listener failed', fields);
      }
    }
  }

  /** Nobody hears anything any more. */
  close(): void {
    this.#isClosed = true;
    this.#listeners.clear();
  }
}
