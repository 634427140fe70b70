import type { Runtime } from '../ports/runtime.ts';
import type { PlatformRun } from './platform-runs.ts';
import type { ServiceMemory } from './service-memory.ts';
import { within } from './within.ts';

/** A platform that does not tell its log in time is asked the next time. */
const PATIENCE_MS = 1_000;
/** A run may outlast its window a little before the system ends it. */
const LATE_END_MS = 60_000;

export interface PlatformLogSetting {
  /** What the platform knows of runs; undefined where it keeps no log. */
  readonly runs: (() => Promise<readonly PlatformRun[]>) | undefined;
  readonly memory: ServiceMemory;
  /** The longest window that the platform grants. Unit: milliseconds. */
  readonly maxRunMs: number;
  readonly log: (message: string, error: unknown) => void;
}

/** The platform's own log of runs, which goes on where no JavaScript runs, as part of the journal. */
export class PlatformLog {
  readonly #runtime: Runtime;
  readonly #setting: PlatformLogSetting;
  #isStopped = false;

  constructor(runtime: Runtime, setting: PlatformLogSetting) {
    this.#runtime = runtime;
    this.#setting = setting;
  }

  /** Never rejects: what the platform does not tell now it tells the next time. */
  async adopt(): Promise<void> {
    const { runs, memory, maxRunMs, log } = this.#setting;
    if (runs === undefined || this.#isStopped) return;
    try {
      const told = await within(this.#runtime, PATIENCE_MS, runs, () => []);
      await memory.adopt(told, this.#runtime.clock.now(), maxRunMs + LATE_END_MS);
    } catch (error) {
      log("the platform's runs could not be added to the journal", error);
    }
  }

  stop(): void {
    this.#isStopped = true;
  }
}
