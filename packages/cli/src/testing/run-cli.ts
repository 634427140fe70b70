import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Compiled code, so that a process starts in a third of the time. */
const CACHE = fileURLToPath(
  new URL('../../../../node_modules/.cache/nexus-store-cli', import.meta.url),
);

export const BIN: string = fileURLToPath(new URL('../../bin/nexus-store.cjs', import.meta.url));

export interface CliRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  readonly uid?: number;
}

/** A folder with the command in it, as a user has it: every run is a process of its own. */
export class CliFolder {
  readonly path: string = mkdtempSync(join(tmpdir(), 'nexus-store-cli-'));
  readonly #children: ChildProcess[] = [];

  file(name: string): string {
    return join(this.path, name);
  }

  run(args: readonly string[], options: CliOptions = {}): Promise<CliRun> {
    const child = this.start(args, options);
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name]?.setEncoding('utf8').on('data', (text: string) => {
        output[name] += text;
      });
    }
    child.stdin?.on('error', () => {}).end(options.input ?? '');
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => resolve({ code, ...output }));
    });
  }

  /** Runs with `--json` and parses the one document it prints. */
  async json(args: readonly string[], options: CliOptions = {}): Promise<Record<string, unknown>> {
    const { stdout } = await this.run([...args, '--json'], options);
    return JSON.parse(stdout) as Record<string, unknown>;
  }

  start(args: readonly string[], { env = {}, uid }: CliOptions = {}): ChildProcess {
    const { PATH, HOME } = process.env;
    const child = spawn(process.execPath, ['--conditions=nexus-source', BIN, ...args], {
      cwd: this.path,
      env: { PATH, HOME, NODE_COMPILE_CACHE: CACHE, ...env },
      stdio: 'pipe',
      ...(uid === undefined ? {} : { uid }),
    });
    this.#children.push(child);
    return child;
  }

  remove(): void {
    for (const child of this.#children) {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    }
    rmSync(this.path, { recursive: true, force: true });
  }
}
