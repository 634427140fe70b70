import { applyCommand } from '../world/collections.ts';
import type { Commit } from '../world/disk.ts';
import {
  decode,
  detailOf,
  isReadyPosition,
  laneName,
  rankOfPosition,
  type EntryOnDisk,
  type RowOnDisk,
} from '../world/records.ts';
import type { NaiveQueue } from './naive-queue.ts';
import type { Scene } from './scene.ts';

/** As little of the scene as it takes, so that records can be looked at without a world around them. */
type Records = Pick<Scene, 'disk' | 'history' | 'fail'>;

/** What is written down agrees with what is counted anew. Looked at after every commit. */
export function checkRecords(scene: Records, queue: NaiveQueue, commit: Commit): void {
  checkCounters(scene);
  const leased = checkLeases(scene);
  checkPositions(scene, queue, leased);
  checkLanes(scene, queue);
  checkValues(scene, queue, commit);
}

function checkCounters({ disk, fail }: Records): void {
  const counted = new Map<
    number,
    { pending: number[]; dead: number; conflicts: number; bytes: number }
  >();
  for (const { partition, state, priority, payload } of disk.entries.values()) {
    const sum = counted.get(partition) ?? {
      pending: [0, 0, 0, 0],
      dead: 0,
      conflicts: 0,
      bytes: 0,
    };
    counted.set(partition, sum);
    sum.bytes += (payload?.length ?? 0) + 100;
    if (state === 'dead') sum.dead += 1;
    else if (state === 'conflict') sum.conflicts += 1;
    else sum.pending[priority] = (sum.pending[priority] ?? 0) + 1;
  }
  const none = { pending: [0, 0, 0, 0], dead: 0, conflicts: 0, bytes: 0 };
  const partitions = new Set([...counted.keys(), ...Object.keys(disk.counters).map(Number)]);
  for (const partition of partitions) {
    const truth = counted.get(partition) ?? none;
    const stored = disk.counters[String(partition)] ?? none;
    const isSame =
      truth.dead === stored.dead &&
      truth.conflicts === stored.conflicts &&
      truth.bytes === stored.bytes &&
      truth.pending.join() === stored.pending.join();
    if (isSame) continue;
    fail(
      'counters',
      `partition ${partition}: stored ${JSON.stringify(stored)}, counted ${JSON.stringify(truth)}`,
    );
  }
}

/** The positions under a lease. */
function checkLeases({ disk, fail }: Records): ReadonlySet<number> {
  const leased = new Set<number>();
  for (const lease of disk.leases.values()) {
    for (const position of JSON.parse(lease.positions) as number[]) {
      if (leased.has(position)) fail('two-leases', `position ${position} is claimed twice`);
      leased.add(position);
      if (!disk.entries.has(String(position))) {
        fail(
          'lease-of-nothing',
          `lease ${lease.fence} names position ${position}, where nothing is`,
        );
      }
    }
  }
  return leased;
}

function checkPositions(
  { disk, fail }: Records,
  queue: NaiveQueue,
  leased: ReadonlySet<number>,
): void {
  for (const unit of queue.units) {
    if (unit.entries.some(({ position }) => leased.has(position))) continue;
    // Erased step by step; nobody asks for the order any more.
    if (disk.isClosed(unit.leader.partition)) continue;
    for (const entry of unit.entries) {
      const mayGo = unit.isFree && unit.notBefore === null && entry === unit.leader;
      const isReady = isReadyPosition(entry.position);
      if (mayGo !== isReady) {
        fail('position', `${name(entry)} is ${isReady ? 'ready' : 'parked'} and must not be`);
      } else if (isReady && rankOfPosition(entry.position) !== unit.rank) {
        const rank = rankOfPosition(entry.position);
        fail('rank', `${name(entry)} stands at priority ${rank}, ${unit.rank} waits behind it`);
      }
    }
  }
}

function checkLanes({ disk, fail }: Records, queue: NaiveQueue): void {
  for (const row of disk.rows.values()) {
    if (disk.isClosed(row.partition)) continue;
    const lane = queue.lanes.get(laneName(row.partition, row.collection, row.id)) ?? [];
    const head = lane[0]?.seq ?? null;
    const tail = lane.at(-1)?.seq ?? null;
    if (row.head !== head || row.tail !== tail || row.depth !== lane.length) {
      fail(
        'lane',
        `${row.collection}/${row.id} says ${row.head}..${row.tail} (${row.depth}), ` +
          `its lane is ${lane.map(({ seq }) => seq).join()}`,
      );
    }
    const wrong = lane.find((entry, index) => (entry.behind === null) !== (index === 0));
    if (wrong !== undefined) fail('lane', `${name(wrong)} is behind ${wrong.behind}`);
  }
  for (const [key, lane] of queue.lanes) {
    const first = lane[0] as EntryOnDisk;
    if (disk.isClosed(first.partition)) continue;
    const row = disk.rows.get(`${first.partition}|${first.collection}|${first.entity}`);
    if (row === undefined) fail('lane', `the lane ${key} has no row`);
  }
}

/** What the app sees is what the server has with everything that waits laid over it. */
function checkValues({ disk, history, fail }: Records, queue: NaiveQueue, commit: Commit): void {
  const rows = new Map<string, RowOnDisk>();
  for (const { after } of commit.rows) {
    if (after !== undefined) rows.set(`${after.partition}|${after.collection}|${after.id}`, after);
  }
  for (const { before, after } of commit.entries) {
    const { partition, collection, entity } = (after ?? before) as EntryOnDisk;
    const key = `${partition}|${collection}|${entity}`;
    const row = disk.rows.get(key);
    if (row !== undefined) rows.set(key, row);
  }
  for (const row of rows.values()) {
    if (disk.isClosed(row.partition)) continue;
    const lane = queue.lanes.get(laneName(row.partition, row.collection, row.id)) ?? [];
    if (lane.length === 0 || history.skipped.has(laneName(row.partition, row.collection, row.id)))
      continue;
    let value: unknown = row.shadow === null ? null : decode(row.shadow);
    for (const entry of lane) value = folded(value, entry);
    const seen: unknown = row.value === null ? null : decode(row.value);
    if (canonical(value) === canonical(seen)) continue;
    fail(
      'fold',
      `${row.collection}/${row.id} shows ${row.value}; ${row.shadow} with ` +
        `${lane.map((entry) => `${name(entry)} ${entry.payload}`).join(', ')} is ${canonical(value)}`,
    );
  }
}

function folded(value: unknown, entry: EntryOnDisk): unknown {
  const { isPatch, command, isEchoed, pinned } = detailOf(entry);
  if (isEchoed === true) return value;
  const payload: unknown = entry.payload === null ? null : decode(entry.payload);
  if (entry.operation === 'delete') return null;
  if (entry.operation === 'command') {
    return value === null ? null : applyCommand(value as never, command ?? '', payload);
  }
  if (isPatch !== true) return payload;
  // Of a row that others have deleted a patch shows what it was made on.
  const isShown = pinned?.isInherited !== true && typeof pinned?.value === 'string';
  const known = isShown ? decode(pinned.value) : null;
  return { ...((value ?? known) as object), ...(payload as object) };
}

/** Text that is the same for values that differ in the order of their fields only. */
export function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return JSON.stringify(value);
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(Object.fromEntries(entries));
}

export function name(entry: EntryOnDisk): string {
  const { seq, operation, collection, entity } = entry;
  const { group } = detailOf(entry);
  return `e${seq} (${operation} ${collection}/${entity}${group === undefined ? '' : ` of ${group}`})`;
}
