import { rmSync } from 'node:fs';

/**
 * Ties this process to the story that started it: it ends when the story ends, however that happens, and
 * whoever is left then removes the story's folder.
 */
export function belongToStory(folder: string): void {
  // Ctrl-C reaches the whole group; the story decides what it means.
  process.on('SIGINT', () => {});
  process.on('disconnect', () => {
    rmSync(folder, { recursive: true, force: true });
    process.exit();
  });
}

/** Tells the story the last thing and ends. */
export function finish<Message>(message: Message): void {
  process.send?.(message, () => process.exit(0));
}

/** Gathers items for one message in each turn of the event loop. */
export class Gathering<Item> {
  readonly #send: (items: readonly Item[]) => void;
  #waiting: Item[] = [];

  constructor(send: (items: readonly Item[]) => void) {
    this.#send = send;
  }

  add(item: Item): void {
    this.#waiting.push(item);
    if (this.#waiting.length === 1) setImmediate(() => this.flush());
  }

  flush(): void {
    if (this.#waiting.length === 0) return;
    const items = this.#waiting;
    this.#waiting = [];
    this.#send(items);
  }
}
