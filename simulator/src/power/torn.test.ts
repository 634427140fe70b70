import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process';
import {
  nodeSqliteClient,
  type Durability,
  type SqliteClient,
  type SqliteConnection,
} from 'nexus-store/sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { atOnce } from './at-once.ts';
import { runTornTrial, type TornTrial } from './torn-trial.ts';

/** Long runs: NEXUS_TORN_RUNS=5000, from NEXUS_TORN_SEED on. */
const RUNS = Number(env['NEXUS_TORN_RUNS'] ?? 40);
const FIRST = Number(env['NEXUS_TORN_SEED'] ?? 1);
/** So many seeds a planted fault may take to show. */
const HUNT = 60;

let folder: string;

beforeEach(() => {
  // Waiting for a real disk would only take time.
  const parent = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  folder = mkdtempSync(join(parent, 'nexus-torn-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe.each(['strict', 'relaxed'] as const)('%s durability', (durability) => {
  test('keeps its promise when the power fails', { timeout: 0 }, async () => {
    const sum: TornTrial = { losses: 0, inside: 0, insideCheckpoint: 0, lost: 0, commits: 0 };
    for (let seed = FIRST; seed < FIRST + RUNS; seed += 1) {
      const seen = await trial(seed, durability);
      for (const name of Object.keys(sum) as (keyof TornTrial)[]) sum[name] += seen[name];
    }

    expect(sum.inside).toBeGreaterThan(sum.losses / 4);
    expect(sum.insideCheckpoint).toBeGreaterThan(0);
    // Strict may lose only the one that nobody was told of yet.
    if (durability === 'strict') expect(sum.lost).toBeLessThanOrEqual(sum.inside);
    else expect(sum.lost).toBeGreaterThan(sum.losses / 4);
  });
});

describe('a loss of power shows', () => {
  test('commits that do not wait for the disk', async () => {
    await expectCaught(rewriting('synchronous = FULL', 'synchronous = OFF'), /promised|no commit/);
  });

  test('commits that wait for the disk at checkpoints only', async () => {
    await expectCaught(rewriting('synchronous = FULL', 'synchronous = NORMAL'), /promised/);
  });

  test('a write that is committed in two parts', async () => {
    await expectCaught(splitting('"entries"'), /no commit|after a loss of power/);
  });
});

async function trial(
  seed: number,
  durability: Durability,
  client?: SqliteClient,
): Promise<TornTrial> {
  const own = mkdtempSync(join(folder, `${seed}-`));
  try {
    return await runTornTrial({
      seed,
      durability,
      folder: own,
      ...(client === undefined ? {} : { client }),
    });
  } catch (error) {
    throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
  } finally {
    rmSync(own, { recursive: true });
  }
}

async function expectCaught(client: SqliteClient, message: RegExp): Promise<void> {
  for (let seed = 1; seed <= HUNT; seed += 1) {
    const caught = await trial(seed, 'strict', client).then(
      () => undefined,
      (error: Error) => error.message,
    );
    if (caught === undefined) continue;
    expect(caught).toMatch(message);
    return;
  }
  expect.unreachable(`nothing was noticed in ${HUNT} seeds`);
}

/** A client that does something else than it is told. */
function rewriting(find: string, replace: string): SqliteClient {
  const inner = nodeSqliteClient();
  return {
    encrypted: false,
    open: (path, options) => {
      const connection = atOnce(inner.open(path, options));
      return { ...bound(connection), exec: (sql) => connection.exec(sql.replace(find, replace)) };
    },
  };
}

/** A client that commits before the first change of a table. */
function splitting(table: string): SqliteClient {
  const inner = nodeSqliteClient();
  return {
    encrypted: false,
    open: (path, options) => {
      const connection = atOnce(inner.open(path, options));
      return {
        ...bound(connection),
        prepare: (sql) => {
          const statement = atOnce(connection.prepare(sql));
          if (!sql.startsWith('INSERT') || !sql.includes(table)) return statement;
          return {
            all: (parameters) => statement.all(parameters),
            run: (parameters) => {
              void connection.exec('COMMIT; BEGIN IMMEDIATE');
              return statement.run(parameters);
            },
          };
        },
      };
    },
  };
}

function bound(connection: SqliteConnection): SqliteConnection {
  return {
    exec: (sql) => connection.exec(sql),
    prepare: (sql) => connection.prepare(sql),
    close: () => connection.close(),
  };
}
