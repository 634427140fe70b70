import type { Entry, EntryId } from '../../core/model/entry.ts';
import { PRIORITIES, type PriorityRank, type SyncPriority } from '../../core/model/priority.ts';
import { entryIdOf, entryView, seqOfEntryId } from '../../core/queue/entry-view.ts';
import { effectiveRank } from '../../core/queue/lanes.ts';
import { claimStates, type ClaimState } from '../../core/queue/leases.ts';
import { dependentsOf, findEntry, rowOf, unitOf } from '../../core/queue/lookup.ts';
import { parkedRange, readyRange } from '../../core/queue/position.ts';
import { laneKey, type EntryRecord } from '../../core/queue/records.ts';
import type { UnitOfWork } from '../../core/queue/unit-of-work.ts';
import type { StoreBackend } from '../../core/store/store-backend.ts';

/** Where an entry stands, for people: what it waits for comes first. */
export type Place =
  | 'sending'
  | 'ready'
  | 'backing-off'
  | 'behind'
  | 'after'
  | 'with-transaction'
  | 'conflict'
  | 'dead';

/** An entry with what it waits for, and how much waits for it. */
export interface Item {
  readonly entry: Entry;
  readonly place: Place;
  /** Entries of its lane behind it. */
  readonly behind: number;
  /** The states of the next few behind it, for a picture. */
  readonly lane: readonly Pick<Entry, 'id' | 'state' | 'operation'>[];
  /** Entries beyond its lane that wait for it; at most a few. */
  readonly dependents: readonly EntryId[];
  /** The entries sent together with it, itself included; empty if it goes alone. */
  readonly group: readonly EntryId[];
}

/** A part of the queue, page by page. */
export interface Section {
  readonly items: readonly Item[];
  readonly hasMore: boolean;
}

export type SectionName = 'sending' | SyncPriority | 'backing-off' | 'after' | 'conflict' | 'dead';

export const SECTIONS: readonly SectionName[] = [
  'sending',
  ...PRIORITIES,
  'backing-off',
  'after',
  'conflict',
  'dead',
];

export type QueuePicture = Readonly<Record<SectionName, Section>>;

type Claims = ReadonlyMap<number, ClaimState>;

/** Most of what is parked waits in its lane, and shows there: so many of the oldest are looked at. */
const PARKED_LOOKED_AT = 64;
const LANE_SHOWN = 8;
const DEPENDENTS_SHOWN = 4;

/**
 * The beginning of each part of the queue, in one look: so many entries each, whatever the queue holds.
 *
 * @param limits the most entries of each part
 */
export async function readQueue(
  backend: StoreBackend,
  limits: Readonly<Record<SectionName, number>>,
): Promise<QueuePicture> {
  await backend.open();
  const { partition } = backend;
  return backend.writer.read(async (uow) => {
    const claims = await claimStates(uow, backend.runtime.clock.now());
    const sections: [SectionName, Section][] = [];
    for (const name of SECTIONS) {
      const limit = limits[name];
      const found = (await recordsOf(uow, partition, name, limit + 1, claims)).filter(
        (record) => name === 'sending' || claims.get(record.position) !== 'held',
      );
      const items: Item[] = [];
      for (const record of found) {
        const item = await itemOf(uow, record, claims);
        if (name !== 'after' || waitsForOthers(item)) items.push(item);
      }
      sections.push([name, { items: items.slice(0, limit), hasMore: items.length > limit }]);
    }
    return Object.fromEntries(sections) as QueuePicture;
  });
}

/** The lane of an entry, from its head on, and what is beyond; for who looks closer. */
export async function readLane(
  backend: StoreBackend,
  id: EntryId,
  limit: number,
): Promise<readonly Item[]> {
  const seq = seqOfEntryId(id);
  if (seq === null) return [];
  await backend.open();
  const { partition } = backend;
  return backend.writer.read(async (uow) => {
    const entry = await findEntry(uow, partition, seq);
    if (entry === undefined) return [];
    const claims = await claimStates(uow, backend.runtime.clock.now());
    const row = await rowOf(uow, entry);
    const seqOfHead = row?.head ?? seq;
    const head = (await findEntry(uow, partition, seqOfHead)) ?? entry;
    const behind = await behindOf(uow, head, limit);
    const items: Item[] = [];
    for (const record of [head, ...behind]) items.push(await itemOf(uow, record, claims));
    return items;
  });
}

async function recordsOf(
  uow: UnitOfWork,
  partition: number,
  name: SectionName,
  limit: number,
  claims: Claims,
): Promise<readonly EntryRecord[]> {
  switch (name) {
    case 'sending': {
      const held = [...claims.keys()].filter((position) => claims.get(position) === 'held');
      const found = (await uow.entriesAt(held.slice(0, limit))).filter(
        (entry) => entry !== undefined,
      );
      return found.filter((entry) => entry.partition === partition);
    }
    case 'backing-off':
      return waiting(
        await uow.scanEntries({ index: 'due', prefix: [partition], limit: limit + claims.size }),
      );
    case 'after': {
      const { from, to } = parkedRange(partition);
      const range = { from: [from], to: [to], toOpen: true, limit: PARKED_LOOKED_AT };
      return waiting(await uow.scanEntries(range)).filter(({ notBefore }) => notBefore === null);
    }
    case 'conflict':
    case 'dead':
      return uow.scanEntries({ index: 'parked', prefix: [partition, name], limit });
    default: {
      const rank = PRIORITIES.indexOf(name) as PriorityRank;
      const { from, to } = readyRange(partition, rank, rank);
      return uow.scanEntries({
        from: [from],
        to: [to],
        toOpen: true,
        limit: limit + claims.size,
      });
    }
  }
}

/** A dead letter or a conflict keeps the time it waited for last. */
function waiting(entries: readonly EntryRecord[]): readonly EntryRecord[] {
  return entries.filter(({ state, behind }) => state === null && behind === null);
}

/** For entries it was made after, or as a transaction for a lane of one of its entries. */
function waitsForOthers({ entry, place, group }: Item): boolean {
  return place === 'after' || (place === 'with-transaction' && group[0] === entry.id);
}

async function itemOf(uow: UnitOfWork, record: EntryRecord, claims: Claims): Promise<Item> {
  const entry = entryView(record, await effectiveRank(uow, record), claims.get(record.position));
  const row = await rowOf(uow, record);
  const isHead = row?.head === record.seq;
  const next = isHead && row.depth > 1 ? await behindOf(uow, record, LANE_SHOWN) : [];
  const dependents = await dependentsOf(uow, record);
  const group = entry.group === null ? [] : await unitOf(uow, record);
  return {
    entry,
    place: placeOf(entry, record),
    behind: isHead ? row.depth - 1 : 0,
    lane: next.map((other) => {
      const { id, state, operation } = entryView(other, other.priority, claims.get(other.position));
      return { id, state, operation };
    }),
    dependents: dependents.slice(0, DEPENDENTS_SHOWN).map(({ seq }) => entryIdOf(seq)),
    group: group.length > 1 ? group.map(({ seq }) => entryIdOf(seq)) : [],
  };
}

async function behindOf(
  uow: UnitOfWork,
  head: EntryRecord,
  limit: number,
): Promise<readonly EntryRecord[]> {
  const prefix = [laneKey(head.partition, head.collection, head.entity)];
  return uow.scanEntries({ index: 'lane', prefix, limit });
}

function placeOf(entry: Entry, record: EntryRecord): Place {
  if (entry.state === 'claimed') return 'sending';
  if (entry.state === 'dead' || entry.state === 'conflict') return entry.state;
  if (record.behind !== null) return 'behind';
  if (entry.after.length > 0) return 'after';
  if (entry.notBefore !== null) return 'backing-off';
  return entry.group === null ? 'ready' : 'with-transaction';
}
