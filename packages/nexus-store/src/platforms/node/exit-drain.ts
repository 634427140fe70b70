/** What is used of Node's `process`. */
export interface ProcessLike {
  readonly pid: number;
  prependListener(event: string, listener: (value?: unknown) => void): unknown;
  removeListener(event: string, listener: (value?: unknown) => void): unknown;
  listenerCount(event: string): number;
  kill(pid: number, signal: string): unknown;
}

/** What is to be finished before the process may end. */
export interface Drainable {
  /** Sends what it can within the time. Never rejects. */
  drain(graceMs: number): Promise<void>;
  /** Lets go of everything: the process ends. Never rejects. */
  close(): Promise<void>;
  /** True if something waits that was not there at the last drain. */
  readonly hasNews: boolean;
  readonly graceMs: number;
}

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
type Signal = (typeof SIGNALS)[number];

/** Closing comes out of the grace, and takes no longer than this. */
const CLOSING_MS = 500;

/** Keeps the process alive while it runs, unlike the timers of a runtime. Returns how to cancel. */
export type Alarm = (delayMs: number, callback: () => void) => () => void;

const processAlarm: Alarm = (delayMs, callback) => {
  const timer = setTimeout(callback, delayMs);
  return () => clearTimeout(timer);
};

/**
 * Holds the end of a process back until what waits was sent, or its grace is over. A signal that nobody
 * else handles then ends the process as it would have; where the app handles it, how the process ends is
 * left to the app. A second signal ends the waiting.
 */
export class ExitDrain {
  readonly #process: ProcessLike;
  readonly #alarm: Alarm;
  readonly #members = new Set<Drainable>();
  readonly #handlers: Readonly<Record<Signal, () => void>>;
  #draining: Promise<void> | undefined;

  constructor(process: ProcessLike, alarm: Alarm = processAlarm) {
    this.#process = process;
    this.#alarm = alarm;
    const handler = (signal: Signal) => () => void this.#onSignal(signal);
    this.#handlers = { SIGTERM: handler('SIGTERM'), SIGINT: handler('SIGINT') };
  }

  add(member: Drainable): () => void {
    this.#members.add(member);
    if (this.#members.size === 1) this.#listen();
    return () => {
      if (this.#members.delete(member) && this.#members.size === 0) this.#unlisten();
    };
  }

  #listen(): void {
    // Before the app's own: a handler of `once` would no longer be counted after it ran.
    for (const signal of SIGNALS) this.#process.prependListener(signal, this.#handlers[signal]);
    this.#process.prependListener('beforeExit', this.#onBeforeExit);
  }

  #unlisten(): void {
    for (const signal of SIGNALS) this.#process.removeListener(signal, this.#handlers[signal]);
    this.#process.removeListener('beforeExit', this.#onBeforeExit);
  }

  async #onSignal(signal: Signal): Promise<void> {
    const isOurs = this.#process.listenerCount(signal) === 1;
    const isImpatient = this.#draining !== undefined;
    if (!isImpatient) await this.#drain(isOurs);
    if (!isOurs) return;
    // Without our handlers Node does what it does by itself, exit code and all.
    this.#unlisten();
    this.#process.kill(this.#process.pid, signal);
  }

  readonly #onBeforeExit = (): void => {
    if (this.#draining !== undefined) return;
    if ([...this.#members].some(({ hasNews }) => hasNews)) void this.#drain(false);
  };

  #drain(isEnd: boolean): Promise<void> {
    this.#draining ??= this.#drainAll(isEnd).finally(() => {
      this.#draining = undefined;
    });
    return this.#draining;
  }

  async #drainAll(isEnd: boolean): Promise<void> {
    await Promise.all([...this.#members].map((member) => this.#drainOne(member, isEnd)));
  }

  async #drainOne(member: Drainable, isEnd: boolean): Promise<void> {
    const closingMs = Math.min(CLOSING_MS, member.graceMs / 4);
    const graceMs = isEnd ? member.graceMs - closingMs : member.graceMs;
    await this.#within(graceMs, member.drain(graceMs));
    if (isEnd) await this.#within(closingMs, member.close());
  }

  async #within(ms: number, work: Promise<void>): Promise<void> {
    let cancel: () => void = () => {};
    const late = new Promise<void>((resolve) => {
      cancel = this.#alarm(ms, resolve);
    });
    await Promise.race([work, late]);
    cancel();
  }
}
