import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { median } from './statistics.ts';

/** What the absolute numbers depend on. */
export interface Machine {
  readonly text: string;
  readonly node: string;
  readonly cores: number;
  readonly load: number;
  readonly fsyncMs: number;
}

export function machine(): Machine {
  const cores = availableParallelism();
  const load = loadavg()[0] ?? 0;
  const fsyncMs = fsyncCost();
  const text =
    `Node ${process.versions.node}, SQLite ${process.versions['sqlite'] ?? '?'}, ` +
    `${cores} x ${cpus()[0]?.model ?? 'unknown CPU'}, load ${load.toFixed(1)}, ` +
    `fsync ${fsyncMs.toFixed(2)} ms in ${tmpdir()}` +
    (fsyncMs < 0.02 ? ' (in memory? strict durability costs nothing there)' : '');
  return { text, node: process.versions.node, cores, load, fsyncMs };
}

/** The median time in which the disk under the temporary folder takes 4 KiB for good. */
function fsyncCost(): number {
  const folder = mkdtempSync(join(tmpdir(), 'nexus-store-fsync-'));
  const file = openSync(join(folder, 'probe'), 'w');
  try {
    const page = Buffer.alloc(4096, 1);
    const times: number[] = [];
    for (let i = 0; i < 50; i += 1) {
      const startedAt = performance.now();
      writeSync(file, page);
      fdatasyncSync(file);
      times.push(performance.now() - startedAt);
    }
    return median(times);
  } finally {
    closeSync(file);
    rmSync(folder, { recursive: true });
  }
}
