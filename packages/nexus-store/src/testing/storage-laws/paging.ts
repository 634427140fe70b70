import type { Storage } from '../../core/ports/storage.ts';
import { NexusStore, type StoreOptions } from '../../core/store/nexus-store.ts';
import type { Query } from '../../core/store/query.ts';
import { StoreBackend } from '../../core/store/store-backend.ts';
import { createVirtualRuntime } from '../virtual-runtime.ts';
import type { LawTools, StateLaw } from './law.ts';

interface Row {
  readonly id: string;
  readonly f: number | boolean | null;
}

/** By UTF-16 units some of these come before others that they come behind by code points. */
const IDS = ['a', '\u{1f600}', '\uff01', '\ufb01', 'z', '\u{10348}', 'é', '\ud7ff', '\ue000'];

const ORDERS: readonly NonNullable<Query<Row>['orderBy']>[] = [
  'f',
  { field: 'f', direction: 'descending' },
  ['f', 'id'],
];

/** What queries make of a driver's order of texts, whichever of the two it has. */
export function pagingLaws(law: StateLaw): void {
  for (const indexes of [[], ['f']] as const) {
    const how = indexes.length === 0 ? 'without an index' : 'by an index';
    law(`pages ${how} give every row once, in the order of the whole`, async (tools) => {
      await withRows(tools, { indexes }, async (store) => {
        for (const orderBy of [undefined, ...ORDERS]) {
          const query = orderBy === undefined ? {} : { orderBy };
          const whole = ids(await store.getAll(query));
          for (const limit of [1, 2, 4]) {
            const paged = await pages(store, query, limit);
            tools.expect({ query, limit, paged }).toEqual({ query, limit, paged: whole });
          }
          tools.expect([...whole].sort()).toEqual([...IDS].sort());
        }
      });
    });
  }

  law(
    'a page read by an index goes on where one was sorted, and the other way round',
    async (t) => {
      await withRows(t, { indexes: ['f'] }, async (store) => {
        for (const orderBy of ORDERS) {
          const whole = ids(await store.getAll({ orderBy }));
          for (let limit = 1; limit < whole.length; limit += 1) {
            const { items, cursor } = await store.getPage({ orderBy, limit });
            // Without a limit everything is read and sorted.
            const rest = await store.getAll({ orderBy, after: cursor ?? '' });
            t.expect([...ids(items), ...ids(rest)]).toEqual(whole);
          }
        }
      });
    },
  );

  law('a page goes on behind a row that is gone', async (tools) => {
    await withRows(tools, { indexes: ['f'] }, async (store) => {
      const whole = ids(await store.getAll({ orderBy: 'f' }));
      for (const [at, id] of whole.entries()) {
        const { cursor } = await store.getPage({ orderBy: 'f', limit: at + 1 });
        if (cursor === null) continue;
        await store.delete(id);
        const page = await store.getPage({ orderBy: 'f', limit: 99, after: cursor });
        const rest = await store.getAll({ orderBy: 'f', after: cursor });
        await store.save(rowOf(id));

        tools.expect({ id, page: ids(page.items) }).toEqual({ id, page: whole.slice(at + 1) });
        tools.expect({ id, rest: ids(rest) }).toEqual({ id, rest: whole.slice(at + 1) });
      }
    });
  });
}

const ids = (rows: readonly Row[]): string[] => rows.map(({ id }) => id);

/** Most are equal, so that their order is that of ids; some stand beside an index. */
function rowOf(id: string): Row {
  return { id, f: id === 'a' ? true : id === 'z' || id === '\ue000' ? null : 1 };
}

async function pages(
  store: NexusStore<Row>,
  query: Query<Row>,
  limit: number,
): Promise<readonly string[]> {
  const found: string[] = [];
  for (let after: string | null = ''; after !== null;) {
    const page = await store.getPage({ ...query, limit, ...(after === '' ? {} : { after }) });
    found.push(...ids(page.items));
    if (found.length > IDS.length) return found;
    after = page.cursor;
  }
  return found;
}

async function withRows(
  { harness }: LawTools,
  options: Pick<StoreOptions<Row>, 'indexes'>,
  check: (store: NexusStore<Row>) => Promise<void>,
): Promise<void> {
  const storage: Storage = harness.create();
  const backend = new StoreBackend(createVirtualRuntime(1), { storage, autoSync: false });
  try {
    const store = new NexusStore<Row>({ ...options, backend, collection: 'rows' });
    await store.saveAll(IDS.map(rowOf));
    await check(store);
  } finally {
    await backend.close();
  }
}
