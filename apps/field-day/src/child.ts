import { fork, type ChildProcess } from 'node:child_process';

/** A process of the story. It never outlives the story. */
export class Child<Message> {
  readonly #process: ChildProcess;
  readonly #name: string;
  readonly #exit: Promise<void>;
  #errors = '';
  #isWanted = true;

  constructor(name: string, args: readonly string[], onMessage: (message: Message) => void) {
    this.#name = name;
    this.#process = fork(new URL(`./${name}.ts`, import.meta.url), args, {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text;
    });
    this.#process.on('message', (message) => onMessage(message as Message));
    this.#exit = new Promise((resolve, reject) => {
      this.#process.on('error', reject);
      this.#process.on('close', (code, signal) => {
        if (code === 0 || !this.#isWanted) resolve();
        else reject(new Error(`${this.#name} ended (${code ?? signal})\n${this.#errors}`));
      });
    });
    this.#exit.catch(() => {});
  }

  send(wish: string): void {
    this.#process.send(wish);
  }

  /** Without warning, as an operating system does it. */
  async kill(): Promise<void> {
    this.#isWanted = false;
    this.#process.kill('SIGKILL');
    await this.#exit;
  }

  /** Resolves when it ended by itself. */
  get ended(): Promise<void> {
    return this.#exit;
  }
}
