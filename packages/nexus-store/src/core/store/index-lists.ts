import { readFact } from '../queue/facts.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';

/** Fields by their collection. No object: it would have something under `constructor`. */
type Lists = ReadonlyMap<string, readonly string[]>;

/** A record of the table `meta`: which fields have an index on disk that is whole. */
const BUILT = 'field-indexes';
/**
 * Another one: which fields every context keeps true in its commits, also where its version of the app does
 * not declare them. Those that are being built are among them, so that nothing is missing once they are whole.
 */
const KEPT = 'kept-indexes';
/**
 * What earlier versions wrote, in which false and 0 had one place. What it names is built anew: nothing has
 * to go first, since a place that is not where a row belongs is not taken for one.
 */
const FORMER = 'indexes';

/** What is indexed on disk, as one transaction finds it. */
export interface IndexLists {
  readonly built: Lists;
  readonly kept: Lists;
  readonly former: Lists;
}

const NO_FIELDS: Lists = new Map();
export const NO_LISTS: IndexLists = { built: NO_FIELDS, kept: NO_FIELDS, former: NO_FIELDS };

export async function readLists(uow: UnitOfWork): Promise<IndexLists> {
  await uow.getAll('meta', [[BUILT], [KEPT], [FORMER]]);
  const [built, kept, former] = await Promise.all([
    readList(uow, BUILT),
    readList(uow, KEPT),
    readList(uow, FORMER),
  ]);
  // What an earlier version has written to meanwhile is out of step.
  const whole = [...built].filter(([name]) => !former.has(name));
  // Before there was the second record, what was whole was kept.
  return { built: new Map(whole), kept: new Map([...built, ...kept]), former };
}

export interface ListChange {
  /** Kept from now on. */
  readonly keep?: readonly string[];
  /** Whole from now on, as far as they were kept all the time. */
  readonly build?: readonly string[];
  /** Neither any more. */
  readonly drop?: readonly string[];
}

/** Changes what is noted of one collection, for all contexts: they look again with their next commit. */
export async function changeLists(
  uow: UnitOfWork,
  collection: string,
  { keep = [], build = [], drop = [] }: ListChange,
): Promise<void> {
  const { built, kept, former } = await readLists(uow);
  const isLeft = (field: string): boolean => !drop.includes(field);
  const nowKept = new Set([...(kept.get(collection) ?? []), ...keep].filter(isLeft));
  const whole = build.filter((field) => nowKept.has(field));
  const nowBuilt = new Set([...(built.get(collection) ?? []).filter(isLeft), ...whole]);
  putList(uow, BUILT, new Map([...built, [collection, [...nowBuilt]]]));
  putList(uow, KEPT, new Map([...kept, [collection, [...nowKept]]]));
  uow.state.changeIndexes();
  if (build.length === 0 && drop.length === 0) return;
  const others = new Map([...former].filter(([name]) => name !== collection));
  if (others.size === former.size) return;
  if (others.size === 0) uow.delete('meta', [FORMER]);
  else putList(uow, FORMER, others);
}

function putList(uow: UnitOfWork, name: string, lists: Lists): void {
  uow.put('meta', [name], { name, value: JSON.stringify(Object.fromEntries(lists)) });
}

/** What cannot be read is built anew: a place that a row has left is not taken for its own. */
async function readList(uow: UnitOfWork, name: string): Promise<Lists> {
  const stored = await readFact<Record<string, readonly string[]>>(uow, name, isLists);
  return stored === undefined ? NO_FIELDS : new Map(Object.entries(stored));
}

function isLists(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every((fields) => Array.isArray(fields))
  );
}
