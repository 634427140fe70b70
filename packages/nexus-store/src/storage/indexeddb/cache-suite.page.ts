// What the cache must not change: handles of one database that write, fail and read in any mixture see what
// one call after the other would have left.
import type { Change, StorageSchema, StorageTransaction } from '../../core/ports/storage.ts';
import { createSeededRandom } from '../../testing/index.ts';
import type { TestFunctions } from '../../testing/index.ts';
import { deleteDB } from 'idb';
import { indexedDbStorage } from './index.ts';

const SCHEMA: StorageSchema = {
  version: 1,
  tables: {
    numbers: { columns: { n: 'integer', value: 'integer' }, key: ['n'] },
    fill: { columns: { n: 'integer' }, key: ['n'] },
    pairs: { columns: { a: 'text', b: 'any', value: 'integer' }, key: ['a', 'b'] },
  },
};
const KEYS = 12;
const BURSTS = 100;
const STOP = new Error('stop');

type Model = Map<string, number>;

export function cacheSuite({ describe, test, expect }: TestFunctions): void {
  describe('the cache of records', () => {
    for (const seed of [1, 2]) {
      test(`changes nothing of what is read (${seed})`, async () => {
        const random = createSeededRandom(seed);
        const below = (limit: number): number => Math.floor(random.float() * limit);
        const name = `cache-${seed}-${Date.now()}`;
        const handles = [1, 2, 3].map(() => indexedDbStorage({ name }));
        for (const handle of handles) await handle.open(SCHEMA);
        const model: Model = new Map();

        for (let burst = 0; burst < BURSTS; burst += 1) {
          const handle = handles[below(handles.length)] ?? handles[0]!;
          // Not awaited one by one: later calls begin while earlier commits are under way.
          const calls = Array.from({ length: 1 + below(4) }, () => {
            const isWrite = random.float() < 0.6;
            const plan = Array.from({ length: 1 + below(4) }, () => ({
              changes: isWrite && random.float() < 0.6 ? someChanges(below) : undefined,
              asked: Array.from({ length: 1 + below(8) }, () => below(2 * KEYS)),
            }));
            const fails = isWrite && random.float() < 0.3;
            const expected = foretell(model, plan, fails);
            const found = handle
              .transact(isWrite ? 'write' : 'read', (tx) => perform(tx, plan, fails))
              .catch((error: unknown) => {
                if (error !== STOP) throw error;
                return 'stopped';
              });
            return { expected, found };
          });
          for (const { expected, found } of calls) {
            expect({ burst, found: await found }).toEqual({ burst, found: expected });
          }
        }
        for (const handle of handles) await handle.close();
        await deleteDB(name);
      });
    }
  });
}

interface Step {
  readonly changes: readonly Change[] | undefined;
  readonly asked: readonly number[];
}

async function perform(
  tx: StorageTransaction,
  plan: readonly Step[],
  fails: boolean,
): Promise<unknown> {
  const found: unknown[] = [];
  for (const { changes, asked } of plan) {
    if (changes !== undefined) await tx.write(changes);
    for (const table of ['numbers', 'pairs']) {
      const some = asked.filter((n) => tableOf(n) === table);
      const records = await tx.get(table, some.map(keyOf));
      found.push(records.map((record) => record?.['value'] ?? null));
      // They are the caller's: what becomes of them is not seen by anybody else.
      for (const record of records) if (record !== undefined) Object.assign(record, { value: -1 });
    }
    const all = await tx.scan('numbers', { limit: 100 });
    found.push(all.map((record) => record['value']));
  }
  if (fails) throw STOP;
  return found;
}

/** The same on a plain map. */
function foretell(model: Model, plan: readonly Step[], fails: boolean): unknown {
  const copy = new Map(model);
  const found: unknown[] = [];
  for (const { changes = [], asked } of plan) {
    for (const change of changes) {
      if (change.table === 'fill') continue;
      if ('put' in change) copy.set(nameOf(change), change.put['value'] as number);
      else copy.delete(nameOf(change));
    }
    for (const table of ['numbers', 'pairs']) {
      const some = asked.filter((n) => tableOf(n) === table);
      found.push(some.map((n) => copy.get(JSON.stringify([table, ...keyOf(n)])) ?? null));
    }
    const numbers = Array.from({ length: KEYS }, (_, n) => copy.get(`["numbers",${n}]`));
    found.push(numbers.filter((value) => value !== undefined));
  }
  if (fails) return 'stopped';
  model.clear();
  for (const [name, value] of copy) model.set(name, value);
  return found;
}

const tableOf = (n: number): string => (n < KEYS ? 'numbers' : 'pairs');
const keyOf = (n: number): readonly (string | number)[] =>
  n < KEYS ? [n] : ['a', n % 2 === 0 ? n : `${n}`];

function changes(below: (limit: number) => number): Change[] {
  return Array.from({ length: 1 + below(5) }, () => {
    const n = below(2 * KEYS);
    const [table, key, value] = [tableOf(n), keyOf(n), below(1_000)];
    if (below(3) === 0) return { table, delete: key };
    return table === 'numbers'
      ? { table, put: { n, value } }
      : { table, put: { a: 'a', b: key[1] ?? 0, value } };
  });
}

/** Now and then so many at once that they are not worth telling apart. */
function someChanges(below: (limit: number) => number): readonly Change[] {
  const some = distinct(changes(below));
  if (below(40) > 0) return some;
  return [...some, ...Array.from({ length: 10_000 }, (_, n) => ({ table: 'fill', put: { n } }))];
}

/** At most one change for each record, the first. */
function distinct(some: readonly Change[]): readonly Change[] {
  const seen = new Set<string>();
  return some.filter((change) => {
    const isNew = !seen.has(nameOf(change));
    seen.add(nameOf(change));
    return isNew;
  });
}

function nameOf(change: Change): string {
  if ('delete' in change) return JSON.stringify([change.table, ...change.delete]);
  const { put } = change;
  const key = change.table === 'numbers' ? [put['n']] : [put['a'], put['b']];
  return JSON.stringify([change.table, ...key]);
}
