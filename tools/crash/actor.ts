import { fork, type ChildProcess } from 'node:child_process';
import type { ChildMessage, Go } from './messages.ts';

/** Processes of one kind, one after another: while one works, the next one loads. */
export class Actor {
  readonly #file: URL;
  readonly #cache: string;
  readonly #onFailure: (error: Error) => void;
  #next: Loading | undefined;
  #current: ChildProcess | undefined;
  #isStopped = false;

  /** @param cache a folder for compiled code: then a process loads in a fifth of the time */
  constructor(name: string, cache: string, onFailure: (error: Error) => void) {
    this.#cache = cache;
    this.#file = new URL(`./${name}.ts`, import.meta.url);
    this.#onFailure = onFailure;
    this.#next = this.#load();
  }

  /** Gives a loaded process its task. Its messages come in order; none comes once it is killed. */
  async start(go: Go, onMessage: (message: ChildMessage) => void): Promise<void> {
    const { child, loaded } = (this.#next ??= this.#load());
    this.#next = undefined;
    await loaded;
    if (this.#isStopped) return;
    this.#current = child;
    child.on('message', (message) => onMessage(message as ChildMessage));
    child.send(go);
    this.#next = this.#load();
  }

  /** Resolves once the process is gone and all it ever said was heard. */
  async kill(): Promise<void> {
    const child = this.#current;
    this.#current = undefined;
    if (child !== undefined) await killed(child);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    const spare = this.#next;
    this.#next = undefined;
    await Promise.all([this.kill(), spare === undefined ? undefined : killed(spare.child)]);
  }

  #load(): Loading {
    const child = fork(this.#file, [], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      execArgv: ['--conditions=nexus-source'],
      env: { ...process.env, NODE_COMPILE_CACHE: this.#cache },
    });
    let errors = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    child.on('close', (code, signal) => {
      if (signal === 'SIGKILL') return;
      this.#onFailure(
        new Error(`${this.#file.pathname} ended by itself (${code ?? signal})\n${errors}`),
      );
    });
    const loaded = new Promise<void>((resolve) => {
      child.once('message', () => resolve());
      child.once('close', () => resolve());
    });
    return { child, loaded };
  }
}

interface Loading {
  readonly child: ChildProcess;
  readonly loaded: Promise<void>;
}

function killed(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) {
      resolve();
      return;
    }
    // `close` comes after the last message of the channel.
    child.once('close', () => resolve());
    child.kill('SIGKILL');
  });
}
