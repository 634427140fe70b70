type Executor = (body: { readonly data: unknown }) => Promise<unknown>;

/**
 * `expo-task-manager` in one JavaScript context: events wait until the entry file is evaluated; a task that
 * is not defined by then is answered with null and unregistered; one that throws is answered with null.
 */
export class FakeTaskManager {
  readonly #tasks = new Map<string, Executor>();
  readonly #onUndefined: (name: string) => void;

  constructor(onUndefined: (name: string) => void) {
    this.#onUndefined = onUndefined;
  }

  readonly defineTask = (name: string, executor: Executor): void => {
    this.#tasks.set(name, executor);
  };

  /** What `notifyTaskFinishedAsync` would carry as the result. */
  async execute(name: string, data: unknown): Promise<unknown> {
    await Promise.resolve(); // the entry file is evaluated in one turn
    const executor = this.#tasks.get(name);
    if (executor === undefined) {
      this.#onUndefined(name);
      return null;
    }
    try {
      // Over the bridge and back, as plain data.
      return structuredClone(await executor({ data: structuredClone(data) }));
    } catch {
      return null;
    }
  }
}
