import { NAME, requireKind } from '../model/arguments.ts';
import type { EntityId, EntryState } from '../model/entry.ts';
import { LOWEST_RANK } from '../model/priority.ts';
import { heldLeases, positionsOf } from '../queue/leases.ts';
import { laneEntries, MAX_LANE } from '../queue/lookup.ts';
import {
  parkedRange,
  positionsOfSeq,
  readyPosition,
  readyRange,
  seqOfPosition,
} from '../queue/position.ts';
import {
  detailOf,
  laneKey,
  type EntryPlace,
  type LeaseRecord,
  type RowRecord,
} from '../queue/records.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import type { BackendCore } from './backend-core.ts';
import { requireId } from './mutation.ts';
import { WatchedValue, type Reading } from './watched-value.ts';
import type { Watch } from './watchers.ts';

/** How far one entity has come. `unknown`: not read yet, or it could not be read. */
export type SyncMark = 'unknown' | 'synced' | EntryState;

/** The first of these that holds for an entry of the entity is its mark. */
const MARKS: readonly EntryState[] = ['dead', 'conflict', 'claimed', 'pending'];

/** A burst of changes costs one reading in this time. */
const REST_MS = 50;
/** Reading shares the database with those who write: it takes at most a quarter of the time. */
const REST_SHARE = 3;
/** However slow the database is, nobody looks at older marks than these. */
const LONGEST_REST_MS = 1_000;
/** To read an entity by its id costs about as much as this many entries in a row. */
const ENTRIES_FOR_EACH = 2;
/** Most entries have it. */
const NORMAL = 2;

/** An entity whose mark is wanted. */
interface Asked {
  readonly collection: string;
  readonly id: EntityId;
}

type Marks = ReadonlyMap<Asked, Reading<SyncMark>>;

/** Reads the marks of one backend: all that are asked for meanwhile in one transaction. */
export class SyncMarks {
  readonly #core: BackendCore;
  #asked: Asked[] = [];
  #next: Promise<Marks> | undefined;
  /** Ends some time after the last reading. */
  #rest: Promise<unknown> = Promise.resolve();
  #cancelRest: () => void = () => {};

  constructor(core: BackendCore) {
    this.#core = core;
  }

  watch(collection: string, entityId: EntityId): Watch<SyncMark> {
    requireKind('watchSyncMark: collection', collection, NAME);
    const asked = { collection, id: requireId(entityId, 'watchSyncMark') };
    const { watchers, runtime } = this.#core;
    const read = async (): Promise<Reading<SyncMark>> => {
      await this.#core.open();
      this.#asked.push(asked);
      this.#next ??= this.#readSoon();
      return (await this.#next).get(asked) as Reading<SyncMark>;
    };
    const onError = (error: unknown): void =>
      runtime.logger.log('error', 'sync marks could not be read', { error: String(error) });
    return new WatchedValue(watchers, { ...asked, isOfQueue: true }, 'unknown', read, onError);
  }

  /** Leaves no timer behind. Call after the backend was closed. */
  close(): void {
    this.#cancelRest();
  }

  async #readSoon(): Promise<Marks> {
    const { clock, timers } = this.#core.runtime;
    await this.#rest;
    const asked = this.#asked;
    this.#asked = [];
    this.#next = undefined;
    const startedAt = clock.elapsed();
    const reading = this.#read(asked);
    const rest = (): Promise<void> | undefined => {
      if (this.#core.isClosed) return undefined;
      const shareMs = (clock.elapsed() - startedAt) * REST_SHARE;
      const restMs = Math.min(Math.max(REST_MS, shareMs), LONGEST_REST_MS);
      return new Promise((resolve) => {
        this.#cancelRest = timers.after(restMs, resolve);
      });
    };
    this.#rest = reading.then(rest, rest);
    return reading;
  }

  #read(asked: readonly Asked[]): Promise<Marks> {
    const { writer, partition, runtime } = this.#core;
    return writer.read((uow) => readMarks(uow, partition, asked, runtime.clock.now()));
  }
}

type Claims = ReadonlyMap<number, LeaseRecord>;
type LaneOf = (asked: Asked) => Promise<readonly EntryPlace[]> | readonly EntryPlace[] | undefined;

async function readMarks(
  uow: UnitOfWork,
  partition: number,
  asked: readonly Asked[],
  now: number,
): Promise<Marks> {
  const [leases] = await Promise.all([heldLeases(uow, partition, now), uow.loadState()]);
  const { pending, conflicts, dead } = uow.counters(partition);
  const total = pending.reduce((sum, count) => sum + count, conflicts + dead);
  const claims: Claims = new Map(
    leases.flatMap((lease) => positionsOf(lease).map((position) => [position, lease])),
  );
  const laneOf: LaneOf =
    total <= asked.length * ENTRIES_FOR_EACH
      ? await wholeQueue(uow, partition, total)
      : await lanesOf(uow, partition, asked, claims);
  return new Map(
    await Promise.all(
      asked.map(async (one) => [one, markOf((await laneOf(one)) ?? [], claims)] as const),
    ),
  );
}

function markOf(lane: readonly EntryPlace[], claims: Claims): Reading<SyncMark> {
  const states = lane.map(
    ({ position, state }): EntryState => state ?? (claims.has(position) ? 'claimed' : 'pending'),
  );
  const value = MARKS.find((mark) => states.includes(mark)) ?? 'synced';
  const leases = lane.flatMap(({ position }) => claims.get(position) ?? []);
  return { value, texts: [value], leases };
}

/** Little waits: everything is read in the order in which it stands. */
async function wholeQueue(uow: UnitOfWork, partition: number, total: number): Promise<LaneOf> {
  const ranges = total === 0 ? [] : [readyRange(partition, 0, LOWEST_RANK), parkedRange(partition)];
  const found = await Promise.all(
    ranges.map(({ from, to }) =>
      uow.scanPlaces({ from: [from], to: [to], toOpen: true, limit: MAX_LANE }),
    ),
  );
  const lanes = new Map<string, EntryPlace[]>();
  for (const place of found.flat()) {
    // A dead letter that left its lane holds up nobody.
    if (detailOf(place).isDetached === true) continue;
    const key = laneKey(partition, place.collection, place.entity);
    lanes.set(key, [...(lanes.get(key) ?? []), place]);
  }
  return ({ collection, id }) => lanes.get(laneKey(partition, collection, id));
}

/** Much waits: the lanes that were asked for are read, first where most of their heads stand. */
async function lanesOf(
  uow: UnitOfWork,
  partition: number,
  asked: readonly Asked[],
  claims: Claims,
): Promise<LaneOf> {
  const keys = asked.map((one) => ({ ...one, partition }));
  await uow.preloadRows(keys);
  const rowOf = ({ collection, id }: Asked) =>
    (uow.rowAtHand(partition, collection, id) || undefined) satisfies RowRecord | undefined;
  const heads = asked.map((one) => rowOf(one)?.head ?? 0).filter((seq) => seq > 0);
  const claimed = new Map([...claims.keys()].map((at) => [seqOfPosition(at), at]));
  const found = await uow.entriesAt(
    heads.map((seq) => claimed.get(seq) ?? readyPosition(partition, NORMAL, seq)),
  );
  const missing = heads.filter((_, index) => found[index] === undefined);
  await uow.entriesAt(missing.flatMap((seq) => positionsOfSeq(partition, seq)));
  return (one) => {
    const row = rowOf(one);
    return row && laneEntries(uow, row);
  };
}
