import type { EntityId } from '../core/model/entry.ts';
import type { Outcome } from '../core/model/outcome.ts';
import { encodeValue, wireJson } from '../core/model/value-codec.ts';
import type { OutgoingEntry, PulledRow, Remote, RemoteContext } from '../core/ports/remote.ts';
import { deferred } from './deferred.ts';
import { requireSuite } from './option-kinds.ts';
import type { TestFunctions } from './test-functions.ts';

/** A server that nobody else uses, and ways to reach and to disturb it. Made anew for each test. */
export interface RemoteHarness {
  /** A remote of its own each time, as another device would have. Users are told apart by the context. */
  connect(): Promise<Remote>;
  /** What the server has applied for a user, in the order of arrival. */
  applied(principal: string): Promise<readonly { readonly idempotencyKey: string }[]>;
  /** Makes every push wait from now on: before the server sees it, or after the server applied it. */
  hold(what: 'request' | 'answer'): RemoteHold;
  /** Makes every cursor given so far expire. */
  expireCursors(principal: string): Promise<void>;
  close(): Promise<void>;
}

export interface RemoteHold {
  /** Resolves when a push waits. */
  readonly reached: Promise<void>;
  release(): void;
}

export const REMOTE_SUITE_PRINCIPALS: readonly [string, string] = ['ada', 'grace'];

const NOW = 1_800_000_000_000;
const [ADA, GRACE] = REMOTE_SUITE_PRINCIPALS;
const COLLECTION = 'notes';

type EntryFields = Partial<Omit<OutgoingEntry, 'payloadJson'>>;

/**
 * The law of the `Remote` port as tests, to be run over every remote with a server behind it. The server
 * knows the users `ada` and `grace` and the command `increment {field, by}`.
 */
export function testRemote(
  name: string,
  createHarness: () => Promise<RemoteHarness>,
  functions: TestFunctions,
): void {
  requireSuite('testRemote', name, createHarness, functions);
  functions.describe(name, () => {
    const law: Law = (title, body) =>
      functions.test(title, async () => {
        const harness = await createHarness();
        const bench = new Bench(harness, await harness.connect());
        try {
          await body(bench);
        } finally {
          await bench.close();
        }
      });
    testPush(law, functions.expect);
    testMutations(law, functions.expect);
    testIdempotency(law, functions.expect);
    testGroups(law, functions.expect);
    testInterruptions(law, functions.expect);
    testPull(law, functions.expect);
    testHints(law, functions.expect);
  });
}

type Law = (title: string, body: (bench: Bench) => Promise<void>) => void;
type Expect = TestFunctions['expect'];

/** A remote with short ways to say what a test wants. */
class Bench {
  readonly harness: RemoteHarness;
  readonly remote: Remote;
  readonly #opened: Remote[] = [];
  #made = 0;

  constructor(harness: RemoteHarness, remote: Remote) {
    this.harness = harness;
    this.remote = remote;
    this.#opened.push(remote);
  }

  async connect(): Promise<Remote> {
    const remote = await this.harness.connect();
    this.#opened.push(remote);
    return remote;
  }

  async close(): Promise<void> {
    for (const remote of this.#opened) await remote.close();
    await this.harness.close();
  }

  entry(entityId: EntityId, fields: EntryFields = {}): OutgoingEntry {
    this.#made += 1;
    const payload = fields.operation === 'delete' ? null : (fields.payload ?? { title: 'first' });
    return {
      id: `entry-${this.#made}`,
      idempotencyKey: `0199a0b0-0000-7000-8000-${String(this.#made).padStart(12, '0')}`,
      collection: COLLECTION,
      entityId,
      operation: 'create',
      command: null,
      isPatch: false,
      baseVersion: null,
      schemaVersion: 1,
      group: null,
      attempts: 0,
      ...fields,
      payload,
      payloadJson: fields.operation === 'delete' ? null : wireJson(encodeValue(payload)),
    };
  }

  async push(...entries: readonly OutgoingEntry[]): Promise<readonly Outcome[]> {
    return this.remote.push(entries, contextOf(ADA));
  }

  async pushOne(entry: OutgoingEntry): Promise<Outcome> {
    return (await this.push(entry))[0] as Outcome;
  }

  /** Pushes an entry that must be applied; returns the version it made. */
  async apply(entry: OutgoingEntry): Promise<string> {
    const outcome = await this.pushOne(entry);
    if (outcome.kind === 'applied') return outcome.version ?? '';
    throw new Error(`expected applied, got ${JSON.stringify(outcome)}`);
  }

  async keys(principal: string = ADA): Promise<readonly string[]> {
    return (await this.harness.applied(principal)).map((applied) => applied.idempotencyKey);
  }

  /** Every row from a cursor on, page by page, and the last cursor. */
  async pullAll(
    limit = 100,
    from: string | null = null,
    principal: string = ADA,
  ): Promise<{ rows: readonly PulledRow[]; cursor: string }> {
    const rows: PulledRow[] = [];
    for (let cursor = from; ;) {
      const request = { collection: COLLECTION, cursor, limit };
      const page = await this.remote.pull(request, contextOf(principal));
      rows.push(...page.rows);
      cursor = page.cursor;
      if (!page.hasMore) return { rows, cursor };
    }
  }
}

function contextOf(principal: string, signal?: AbortSignal): RemoteContext {
  return {
    signal: signal ?? new AbortController().signal,
    maySend: () => true,
    now: NOW,
    principal,
  };
}

const kinds = (outcomes: readonly Outcome[]): readonly string[] =>
  outcomes.map((outcome) => outcome.kind);

function testPush(law: Law, expect: Expect): void {
  law('a push gives one outcome for each entry, in the order of the batch', async (bench) => {
    await bench.apply(bench.entry('there'));

    const outcomes = await bench.push(
      bench.entry('a'),
      bench.entry('there'),
      bench.entry('b'),
      bench.entry('gone', { operation: 'update' }),
      bench.entry('gone-too', { operation: 'delete' }),
    );

    expect(kinds(outcomes)).toEqual(['applied', 'conflict', 'applied', 'conflict', 'applied']);
  });

  law('a push of nothing resolves with nothing', async (bench) => {
    expect(await bench.push()).toEqual([]);
  });

  law('a batch may be as large as the capability says', async (bench) => {
    const size = Math.min(bench.remote.capabilities.maxBatch, 250);

    const outcomes = await bench.push(
      ...Array.from({ length: size }, (_, index) => bench.entry(index)),
    );

    expect(outcomes.filter((outcome) => outcome.kind === 'applied').length).toBe(size);
    expect((await bench.keys()).length).toBe(size);
  });

  law('pushes may run at the same time', async (bench) => {
    const entries = Array.from({ length: 20 }, (_, index) => bench.entry(`e${index}`));

    const outcomes = await Promise.all(entries.map((entry) => bench.pushOne(entry)));

    expect([...new Set(kinds(outcomes))]).toEqual(['applied']);
    expect([...(await bench.keys())].sort()).toEqual(
      entries.map((entry) => entry.idempotencyKey).sort(),
    );
  });

  law('entries of one batch are applied in its order', async (bench) => {
    const entries = ['c', 'a', 'b'].map((id) => bench.entry(id));

    await bench.push(...entries);

    expect(await bench.keys()).toEqual(entries.map((entry) => entry.idempotencyKey));
  });

  law('what one user pushes is not there for another', async (bench) => {
    await bench.apply(bench.entry('a'));

    const [outcome] = await bench.remote.push([bench.entry('a')], contextOf(GRACE));

    expect(outcome?.kind).toBe('applied');
    expect((await bench.keys(ADA)).length).toBe(1);
    expect((await bench.keys(GRACE)).length).toBe(1);
  });
}

function testMutations(law: Law, expect: Expect): void {
  const update = { operation: 'update', payload: { title: 'second' } } as const;

  law('a create of an entity that exists conflicts and brings the server row', async (bench) => {
    const version = await bench.apply(bench.entry('a', { payload: { title: 'theirs' } }));

    const outcome = await bench.pushOne(bench.entry('a', { payload: { title: 'ours' } }));

    expect(outcome).toMatchObject({ kind: 'conflict', remote: { title: 'theirs' }, version });
  });

  law('an update on the current version is applied and makes a new version', async (bench) => {
    const baseVersion = await bench.apply(bench.entry('a'));

    const version = await bench.apply(bench.entry('a', { ...update, baseVersion }));

    expect(version === baseVersion).toBe(false);
  });

  law('an update on an old version conflicts and changes nothing', async (bench) => {
    const baseVersion = await bench.apply(bench.entry('a'));
    const version = await bench.apply(bench.entry('a', { ...update, baseVersion }));

    const stale = bench.entry('a', { operation: 'update', payload: { title: 'x' }, baseVersion });

    expect(await bench.pushOne(stale)).toMatchObject({
      kind: 'conflict',
      remote: { title: 'second' },
      version,
    });
    expect((await bench.keys()).includes(stale.idempotencyKey)).toBe(false);
  });

  law(
    'what was made on nothing that the server ever had conflicts with what is there',
    async (bench) => {
      await bench.apply(bench.entry('a'));

      for (const operation of ['update', 'delete'] as const) {
        const outcome = await bench.pushOne(
          bench.entry('a', { ...update, operation, baseVersion: '' }),
        );
        expect(outcome).toMatchObject({ kind: 'conflict', remote: { title: 'first' } });
      }
    },
  );

  law('an update without a base is applied to whatever is there', async (bench) => {
    await bench.apply(bench.entry('a'));

    expect((await bench.pushOne(bench.entry('a', update))).kind).toBe('applied');
  });

  law('an update of an entity that is gone conflicts with nothing', async (bench) => {
    await bench.apply(bench.entry('a'));
    await bench.apply(bench.entry('a', { operation: 'delete' }));

    const outcomes = await bench.push(bench.entry('a', update), bench.entry('never', update));

    expect(outcomes[0]).toMatchObject({ kind: 'conflict', remote: null });
    expect(outcomes[1]).toMatchObject({ kind: 'conflict', remote: null });
  });

  law('a delete of an entity that is gone is applied', async (bench) => {
    expect((await bench.pushOne(bench.entry('a', { operation: 'delete' }))).kind).toBe('applied');
  });

  law('a delete on an old version conflicts', async (bench) => {
    const baseVersion = await bench.apply(bench.entry('a'));
    await bench.apply(bench.entry('a', update));

    const outcome = await bench.pushOne(bench.entry('a', { operation: 'delete', baseVersion }));

    expect(outcome).toMatchObject({ kind: 'conflict', remote: { title: 'second' } });
  });

  law('an entity can be created again after it was deleted', async (bench) => {
    await bench.apply(bench.entry('a'));
    await bench.apply(bench.entry('a', { operation: 'delete' }));

    expect((await bench.pushOne(bench.entry('a'))).kind).toBe('applied');
  });

  law('a patch changes its fields and leaves the others', async (bench) => {
    await bench.apply(bench.entry('a', { payload: { title: 'first', done: false } }));

    const patch = { operation: 'update', isPatch: true, payload: { done: true } } as const;
    await bench.apply(bench.entry('a', patch));

    const outcome = await bench.pushOne(bench.entry('a'));
    expect(outcome).toMatchObject({ kind: 'conflict', remote: { title: 'first', done: true } });
  });

  law('a command is run by the server', async (bench) => {
    await bench.apply(bench.entry('a', { payload: { count: 1 } }));
    const payload = { field: 'count', by: 2 };
    const increment = { operation: 'command', command: 'increment', payload } as const;

    await bench.push(bench.entry('a', increment), bench.entry('a', increment));

    const outcome = await bench.pushOne(bench.entry('a'));
    expect(outcome).toMatchObject({ kind: 'conflict', remote: { count: 5 } });
  });

  law('a command that the server does not know is rejected', async (bench) => {
    const unknown = bench.entry('a', { operation: 'command', command: 'no-such-command' });

    expect((await bench.pushOne(unknown)).kind).toBe('rejected');
  });

  law('a number and a text are different ids', async (bench) => {
    const outcomes = await bench.push(bench.entry(1), bench.entry('1'));

    expect(kinds(outcomes)).toEqual(['applied', 'applied']);
  });
}

function testIdempotency(law: Law, expect: Expect): void {
  law('an entry that is sent again is applied once and gets the same version', async (bench) => {
    const entry = bench.entry('a');
    const version = await bench.apply(entry);

    expect(await bench.apply(entry)).toBe(version);
    expect((await bench.keys()).length).toBe(1);
  });

  law('an old entry that is sent again changes nothing newer', async (bench) => {
    const baseVersion = await bench.apply(bench.entry('a'));
    const old = bench.entry('a', { operation: 'update', payload: { title: 'old' }, baseVersion });
    const version = await bench.apply(old);
    await bench.apply(bench.entry('a', { operation: 'update', payload: { title: 'new' } }));

    expect(await bench.apply(old)).toBe(version);

    const outcome = await bench.pushOne(bench.entry('a'));
    expect(outcome).toMatchObject({ kind: 'conflict', remote: { title: 'new' } });
  });

  law('an entry that is sent twice at once is applied once', async (bench) => {
    const payload = { field: 'count', by: 1 };
    await bench.apply(bench.entry('a', { payload: { count: 0 } }));
    const entry = bench.entry('a', { operation: 'command', command: 'increment', payload });
    const other = await bench.connect();

    await Promise.all([bench.push(entry), other.push([entry], contextOf(ADA)), bench.push(entry)]);

    await bench.apply(entry);
    const outcome = await bench.pushOne(bench.entry('a'));
    expect(outcome).toMatchObject({ kind: 'conflict', remote: { count: 1 } });
  });

  law('a key that is used for another payload is rejected and changes nothing', async (bench) => {
    const entry = bench.entry('a', { payload: { title: 'first' } });
    await bench.apply(entry);
    const { idempotencyKey } = entry;

    const other = bench.entry('b', { payload: { title: 'other' }, idempotencyKey });
    const outcome = await bench.pushOne(other);

    expect(outcome).toMatchObject({ kind: 'rejected', failure: { status: 422 } });
    expect((await bench.keys()).length).toBe(1);
  });

  law('a refused entry leaves no key behind', async (bench) => {
    const entry = bench.entry('a', { operation: 'update' });
    expect((await bench.pushOne(entry)).kind).toBe('conflict');

    await bench.apply(bench.entry('a'));

    expect((await bench.pushOne(entry)).kind).toBe('applied');
  });
}

function testGroups(law: Law, expect: Expect): void {
  law('entries of a group are applied together', async (bench) => {
    const group = 'g1';

    const outcomes = await bench.push(
      bench.entry('a', { group }),
      bench.entry('b', { group }),
      bench.entry('c'),
    );

    expect(kinds(outcomes)).toEqual(['applied', 'applied', 'applied']);
  });

  law('none of a group is applied if one of it is not', async (bench) => {
    await bench.apply(bench.entry('b', { payload: { title: 'theirs' } }));
    const group = 'g1';

    const outcomes = await bench.push(
      bench.entry('a', { group }),
      bench.entry('b', { group }),
      bench.entry('c', { group }),
      bench.entry('d'),
    );

    expect(kinds(outcomes)).toEqual(['retry', 'conflict', 'retry', 'applied']);
    expect(outcomes[0]).toMatchObject({ scope: 'entry', ambiguous: false });
    expect((await bench.keys()).length).toBe(2);
  });

  law('a group that is sent again is applied once', async (bench) => {
    const group = 'g1';
    const entries = [bench.entry('a', { group }), bench.entry('b', { group })];
    const first = await bench.push(...entries);

    expect(await bench.push(...entries)).toEqual(first);
    expect((await bench.keys()).length).toBe(2);
  });

  law('a failed group can be sent again', async (bench) => {
    const group = 'g1';
    const entries = [bench.entry('a', { group }), bench.entry('b', { group, operation: 'update' })];
    await bench.push(...entries);

    await bench.apply(bench.entry('b'));

    expect(kinds(await bench.push(...entries))).toEqual(['applied', 'applied']);
  });
}

function testInterruptions(law: Law, expect: Expect): void {
  for (const what of ['request', 'answer'] as const) {
    law(`an abort settles a push that waits for its ${what}, as ambiguous`, async (bench) => {
      const hold = bench.harness.hold(what);
      const controller = new AbortController();
      const entries = [bench.entry('a'), bench.entry('b')];
      const pushing = bench.remote.push(entries, contextOf(ADA, controller.signal));
      await hold.reached;

      controller.abort();
      const outcomes = await pushing;

      const expected = { kind: 'retry', scope: 'endpoint', ambiguous: true };
      expect(outcomes).toMatchObject([expected, expected]);
      hold.release();
    });
  }

  law('an entry whose answer was lost is sent again and applied once', async (bench) => {
    const hold = bench.harness.hold('answer');
    const controller = new AbortController();
    const entry = bench.entry('a');
    const pushing = bench.remote.push([entry], contextOf(ADA, controller.signal));
    await hold.reached;
    controller.abort();
    await pushing;
    hold.release();

    expect((await bench.pushOne(entry)).kind).toBe('applied');
    expect(await bench.keys()).toEqual([entry.idempotencyKey]);
  });

  law('a push whose signal has aborted settles', async (bench) => {
    const context = contextOf(ADA, abortedSignal());

    const outcomes = await bench.remote.push([bench.entry('a')], context);

    expect(kinds(outcomes)).toEqual(['retry']);
  });

  law('close settles what is under way, and may be called again', async (bench) => {
    const hold = bench.harness.hold('request');
    const pushing = bench.push(bench.entry('a'));
    await hold.reached;

    await bench.remote.close();

    expect(kinds(await pushing)).toEqual(['retry']);
    await bench.remote.close();
    hold.release();
  });

  law('a push after close settles without an acknowledgement', async (bench) => {
    await bench.remote.close();

    expect(kinds(await bench.push(bench.entry('a')))).toEqual(['retry']);
    expect(await bench.keys()).toEqual([]);
  });
}

function abortedSignal(): AbortSignal {
  const controller = new AbortController();
  controller.abort();
  return controller.signal;
}

function testPull(law: Law, expect: Expect): void {
  const pullLaw: Law = (title, body) =>
    law(title, async (bench) => {
      if (bench.remote.capabilities.pull) return body(bench);
      // The claim is checked too: a remote that says it cannot pull must refuse.
      expect((await failureCode(bench.pullAll())) === undefined).toBe(false);
    });

  pullLaw('an empty collection gives an empty page with a cursor', async (bench) => {
    const { rows, cursor } = await bench.pullAll();

    expect(rows).toEqual([]);
    expect((await bench.pullAll(100, cursor)).rows).toEqual([]);
  });

  pullLaw('pages together hold every row once, in no more than the limit each', async (bench) => {
    const ids = Array.from({ length: 7 }, (_, index) => `e${index}`);
    await bench.push(...ids.map((id) => bench.entry(id)));

    const request = { collection: COLLECTION, cursor: null, limit: 3 };
    const first = await bench.remote.pull(request, contextOf(ADA));
    const { rows } = await bench.pullAll(3);

    expect([first.rows.length, first.hasMore]).toEqual([3, true]);
    expect(rows.map((row) => String(row.id)).sort()).toEqual(ids);
  });

  pullLaw('a row carries the version of its acknowledgement and its key', async (bench) => {
    const entry = bench.entry('a', { payload: { title: 'mine' } });
    const version = await bench.apply(entry);

    const { rows } = await bench.pullAll();

    const operationId = entry.idempotencyKey;
    const value = { title: 'mine' };
    expect(rows).toEqual([{ id: 'a', version, value, isDeleted: false, operationId }]);
  });

  pullLaw('a cursor gives what changed since, deletions as tombstones', async (bench) => {
    await bench.push(bench.entry('a'), bench.entry('b'), bench.entry('c'));
    const { cursor } = await bench.pullAll();
    await bench.apply(bench.entry('b', { operation: 'update', payload: { title: 'new' } }));
    await bench.apply(bench.entry('c', { operation: 'delete' }));

    const { rows } = await bench.pullAll(100, cursor);

    const seen = rows.map(({ id, value, isDeleted }) => ({ id, value, isDeleted }));
    expect([...seen].sort((one, two) => (one.id < two.id ? -1 : 1))).toEqual([
      { id: 'b', value: { title: 'new' }, isDeleted: false },
      { id: 'c', value: undefined, isDeleted: true },
    ]);
  });

  pullLaw('a row that changes between two pages is not missed', async (bench) => {
    await bench.push(...['a', 'b', 'c', 'd'].map((id) => bench.entry(id)));
    const request = { collection: COLLECTION, cursor: null, limit: 2 };
    const first = await bench.remote.pull(request, contextOf(ADA));
    const changed = first.rows[0]?.id as string;
    const payload = { title: 'changed' };
    const version = await bench.apply(bench.entry(changed, { operation: 'update', payload }));

    const { rows } = await bench.pullAll(2, first.cursor);

    expect(rows.find((row) => row.id === changed)?.version).toBe(version);
    const ids = new Set([...first.rows, ...rows].map((row) => String(row.id)));
    expect([...ids].sort()).toEqual(['a', 'b', 'c', 'd']);
  });

  pullLaw('a pull sees neither other collections nor other users', async (bench) => {
    await bench.push(bench.entry('a', { collection: 'tasks' }), bench.entry('b'));

    expect((await bench.pullAll()).rows.map((row) => row.id)).toEqual(['b']);
    expect((await bench.pullAll(100, null, GRACE)).rows).toEqual([]);
  });

  pullLaw('every kind of value comes back as it was', async (bench) => {
    const value = oddValue();
    await bench.apply(bench.entry('a', { payload: value }));

    const { rows } = await bench.pullAll();

    expect(rows[0]?.value).toEqual(value);
    expect(Object.keys(rows[0]?.value as object)).toEqual(Object.keys(value));
  });

  pullLaw('an expired cursor is refused by its code, and a full pull works', async (bench) => {
    await bench.apply(bench.entry('a'));
    const { cursor } = await bench.pullAll();

    await bench.harness.expireCursors(ADA);

    expect(await failureCode(bench.pullAll(100, cursor))).toBe('remote/cursor-expired');
    const { rows } = await bench.pullAll();
    expect(rows.filter((row) => !row.isDeleted).map((row) => row.id)).toEqual(['a']);
  });
}

/** What JSON alone would change. */
function oddValue(): Record<string, unknown> {
  return {
    text: 'naïve 👩‍🚀 \u0000 \u2028 "quoted" \\',
    when: new Date(1_700_000_000_123),
    bytes: new Uint8Array([0, 1, 254, 255]),
    nothing: undefined,
    not: Number.NaN,
    zero: -0,
    big: 12_345_678_901_234_567_890n,
    map: new Map<unknown, unknown>([
      ['a', 1],
      [2, { deep: new Date(0) }],
    ]),
    set: new Set([1, 'two']),
    nested: { list: [1, null, { yes: true }], empty: {} },
    ['$nexus']: 'a key like a tag',
  };
}

async function failureCode(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
    return undefined;
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
}

function testHints(law: Law, expect: Expect): void {
  law('a listener hears that a collection changed, until it aborts', async (bench) => {
    const controller = new AbortController();
    const context = contextOf(ADA, controller.signal);
    if (!bench.remote.capabilities.hints) {
      const code = await failureCode(bench.remote.listen(() => {}, context));
      expect(code === undefined).toBe(false);
      return;
    }
    const heard = deferred<string>();
    const connected = deferred<null>();
    const listening = bench.remote.listen((collection) => {
      if (collection === null) connected.resolve(null);
      else heard.resolve(collection);
    }, context);
    // The first hint says that anything may have changed before the stream began.
    await connected.promise;

    const other = await bench.connect();
    await other.push([bench.entry('a')], contextOf(ADA));

    expect(await heard.promise).toBe(COLLECTION);
    controller.abort();
    await listening;
  });
}
