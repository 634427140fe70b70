import { env } from 'node:process';
import { expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import { answers, BackendFixture } from '../../testing/backend-fixture.ts';
import { memoryRemote } from '../../testing/memory-remote.ts';
import { MemoryServer } from '../../testing/memory-server.ts';
import { createSeededRandom, type SeededRandom } from '../../testing/seeded-random.ts';
import { createVirtualRuntime } from '../../testing/virtual-runtime.ts';
import type { VirtualRuntime } from '../../testing/virtual-runtime.ts';

// Two devices with two contexts each change single fields of two entities, while requests and answers are late, lost
// or refused. Every value is written once, on top of one that its author saw. With `merge-fields` the end may then be
// any value that nobody has replaced, and none that somebody saw and replaced.

/** Raise it for longer runs: `NEXUS_HISTORY_RUNS=5000`. */
const RUNS = Number(env['NEXUS_HISTORY_RUNS'] ?? 40);
const STEPS = 40;
const FIELDS = ['a', 'b', 'c'] as const;
const IDS = ['x', 'y'] as const;

type Fields = Record<string, string>;

interface Rules {
  readonly coalesce: boolean;
  readonly onRejected: 'park' | 'skip' | 'revert';
  /** Some writes are refused for good, and sent again by people. */
  readonly refuses: boolean;
  /** Some writes go in transactions, and some directly. */
  readonly mixes: boolean;
  /** Cursors expire now and then. */
  readonly forgets: boolean;
}

class World {
  readonly random: SeededRandom;
  readonly runtime: VirtualRuntime;
  readonly server = new MemoryServer();
  readonly contexts: readonly BackendFixture[];
  /** What was seen and replaced. */
  readonly replaced = new Set<string>();
  readonly #rules: Rules;
  readonly #running: Promise<unknown>[] = [];
  #values = 0;
  #isCalm = false;

  constructor(seed: number, rules: Rules) {
    this.random = createSeededRandom(seed, 'histories');
    this.runtime = createVirtualRuntime(seed);
    this.#rules = rules;
    const databases = [memoryDatabase(), memoryDatabase()];
    this.contexts = databases.flatMap((database) =>
      [0, 1].map(() => {
        const remote = memoryRemote({ hints: false, server: this.server });
        const { coalesce, onRejected } = rules;
        const storage = memoryStorage({ database });
        const store = { coalesce, onRejected };
        const context = new BackendFixture({ storage, remote, runtime: this.runtime, store });
        remote.answerWith(() => this.#answer());
        return context;
      }),
    );
  }

  #answer(): ReturnType<Exclude<Parameters<BackendFixture['remote']['answerWith']>[0], undefined>> {
    const { random, runtime } = this;
    const late = (): Promise<void> =>
      new Promise((resolve) => void runtime.timers.after(random.integer(3_000), () => resolve()));
    if (this.#isCalm) return 'apply';
    const draw = random.integer(20);
    if (this.#rules.refuses && draw < 2) return answers.rejected(422);
    if (draw === 2) return 'lose-answer';
    if (draw === 3) return 'lose-request';
    if (draw === 4) return answers.entry(423);
    if (draw === 5) return { until: late(), answer: 'apply' };
    if (draw === 6) return { answerAfter: late() };
    return 'apply';
  }

  async run(): Promise<void> {
    for (const id of IDS) this.server.set('notes', id, { id, a: 'a0', b: 'b0', c: 'c0' });
    for (const context of this.contexts) await context.wait(context.backend.sync());
    for (let step = 0; step < STEPS; step += 1) await this.#step();
    this.#isCalm = true;
    for (let round = 0; round < 12; round += 1) {
      for (const { backend, wait } of this.#each()) {
        await wait(backend.retryAll());
        await wait(backend.sync());
      }
      await this.runtime.advance('20m');
    }
    for (const { backend, wait } of this.#each()) await wait(backend.fetch('notes'));
  }

  #each(): readonly Pick<BackendFixture, 'backend' | 'wait'>[] {
    return this.contexts.map((context) => ({
      backend: context.backend,
      wait: (promise) => context.wait(promise),
    }));
  }

  async #step(): Promise<void> {
    const { random, runtime } = this;
    const context = random.pick(this.contexts);
    const draw = random.integer(10);
    if (draw < 4) await this.#write(context);
    else if (draw < 6) this.#begin(context.backend.sync());
    else if (draw === 6) this.#begin(context.backend.fetch('notes'));
    else if (draw === 7) await runtime.advance(random.integer(5_000));
    else if (draw === 8 && this.#rules.refuses) await context.wait(context.backend.retryAll());
    else if (this.#rules.forgets && random.chance(0.3)) this.server.expireCursors();
    await context.settle();
  }

  /** Not waited for: calls overlap as they will. */
  #begin(call: Promise<unknown>): void {
    this.#running.push(call.catch(() => undefined));
  }

  async #write(context: BackendFixture): Promise<void> {
    const { random } = this;
    const { notes, backend } = context;
    const id = random.pick(IDS);
    const field = random.pick(FIELDS);
    const seen = (await context.wait(notes.get(id, { policy: 'cache-only' }))) as
      | Fields
      | undefined;
    if (seen === undefined) return;
    const value = this.#newValue(field);
    const isWhole = random.chance(0.5);
    const draw = this.#rules.mixes ? random.integer(4) : 0;
    try {
      if (draw === 1) {
        const policy = { policy: 'remote-first' } as const;
        await context.wait(notes.patch(id, { [field]: value }, policy));
      } else if (draw === 2) {
        await context.wait(
          backend.transaction(async (tx) => tx.store(notes).patch(id, { [field]: value })),
        );
      } else if (isWhole) {
        await context.wait(notes.save({ ...seen, id, [field]: value }));
      } else {
        await context.wait(notes.patch(id, { [field]: value }));
      }
      this.replaced.add(`${id} ${seen[field]}`);
    } catch {
      // A direct write may meet no server, or another row: then nothing was written.
    }
  }

  #newValue(field: string): string {
    this.#values += 1;
    return `${field}${this.#values}`;
  }

  async close(): Promise<void> {
    await Promise.all(this.contexts.map((context) => context.wait(context.backend.close())));
    await Promise.all(this.#running);
  }
}

const ALL: readonly Rules[] = [
  { coalesce: true, onRejected: 'park', refuses: false, mixes: false, forgets: false },
  { coalesce: false, onRejected: 'park', refuses: false, mixes: false, forgets: false },
  { coalesce: true, onRejected: 'park', refuses: true, mixes: false, forgets: true },
  { coalesce: true, onRejected: 'park', refuses: false, mixes: true, forgets: true },
];

test.each(ALL)(
  'nothing that was seen and replaced comes back: %o',
  { timeout: 600_000 },
  async (rules) => {
    for (let seed = 1; seed <= RUNS; seed += 1) {
      const world = new World(seed, rules);
      await world.run();
      const end = IDS.map((id) => world.server.value('notes', id) as Fields);
      const back = end.flatMap((row) =>
        FIELDS.filter((field) => world.replaced.has(`${row['id']} ${row[field]}`)).map(
          (field) => `${row['id']}.${field} = ${row[field]}`,
        ),
      );
      expect({ seed, back }).toEqual({ seed, back: [] });
      for (const context of world.contexts) {
        const waiting = await context.wait(context.backend.pendingChanges());
        const rows = await context.wait(context.notes.getAll({}, { policy: 'cache-only' }));
        expect({ seed, waiting }).toEqual({ seed, waiting: [] });
        expect(rows).toEqual(end);
      }
      await world.close();
    }
  },
);
