import type { Commit } from '../world/disk.ts';
import { detailOf, type LeaseOnDisk } from '../world/records.ts';
import { isDue, type NaiveQueue, type Unit } from './naive-queue.ts';
import { name } from './records-agree.ts';
import type { Scene } from './scene.ts';

/**
 * A claim takes the best of what may be sent. Other writes may share its commit, so only what was
 * eligible, and equally urgent, before and after it counts against the claim.
 */
export function checkClaims(
  scene: Scene,
  before: NaiveQueue,
  after: NaiveQueue,
  leasedBefore: ReadonlySet<number>,
  commit: Commit,
): void {
  for (const { before: old, after: lease } of commit.leases) {
    if (old !== undefined || lease === undefined) continue;
    if (scene.disk.isClosed(lease.partition))
      scene.fail('discarded', `lease ${lease.fence} is for what was discarded`);
    const claimed = claimedUnits(scene, after, lease);
    for (const { leader } of claimed) {
      if (scene.history.lives.get(leader.seq)?.isDiscarded === true)
        scene.fail('discarded', `${name(leader)} was discarded and is claimed`);
    }
    const now = lease.until - lease.leaseMs;
    const left = after.units.filter((unit) => {
      const was = before.unitOf(unit.leader.seq);
      return (
        unit.leader.partition === lease.partition &&
        was !== undefined &&
        was.rank === unit.rank &&
        was.leader.seq === unit.leader.seq &&
        isDue(was, now) &&
        isDue(unit, now) &&
        !isLeased(scene, unit) &&
        !was.entries.some(({ position }) => leasedBefore.has(position))
      );
    });
    const others = left.filter((unit) => !isSuspect(unit) && !wasSuspect(before, unit));
    for (const unit of others) checkAgainst(scene, unit, claimed, before);
    const [suspect] = claimed.filter(isSuspect);
    if (suspect === undefined) continue;
    if (claimed.length > 1)
      scene.fail('suspect', `${name(suspect.leader)} is claimed together with others`);
    const isDoubtful = scene.disk.gate?.isDoubtful === true && !commit.meta.some(isGate);
    // What is low may wait for reasons of its own.
    const better = isDoubtful ? others.find(({ rank }) => rank < LOWEST_RANK) : undefined;
    if (better !== undefined)
      scene.fail('suspect', `${name(suspect.leader)} is claimed before ${name(better.leader)}`);
  }
}

const LOWEST_RANK = 3;

function isGate({ after }: Commit['meta'][number]): boolean {
  return after?.name === 'gate:remote';
}

/** Requests that carried it alone found no way to the server: it waits for what those of others show. */
function isSuspect(unit: Unit): boolean {
  return detailOf(unit.leader).suspicion !== undefined;
}

/** What clears it of suspicion may share the commit, and come after the claim. */
function wasSuspect(before: NaiveQueue, { leader }: Unit): boolean {
  const was = before.unitOf(leader.seq);
  return was !== undefined && isSuspect(was);
}

function checkAgainst(
  scene: Scene,
  unit: Unit,
  claimed: readonly Unit[],
  before: NaiveQueue,
): void {
  const isWorse = (other: Unit): boolean => {
    const rank = Math.min(other.rank, before.unitOf(other.leader.seq)?.rank ?? other.rank);
    return rank > unit.rank || (rank === unit.rank && other.leader.seq > unit.leader.seq);
  };
  if (!claimed.some(isWorse)) return;
  const taken = claimed.map(({ leader, rank }) => `${name(leader)} at ${rank}`).join(', ');
  scene.fail('claim-order', `${name(unit.leader)} at ${unit.rank} was passed over for ${taken}`);
}

function claimedUnits(scene: Scene, queue: NaiveQueue, lease: LeaseOnDisk): readonly Unit[] {
  const units = new Set<Unit>();
  for (const position of JSON.parse(lease.positions) as number[]) {
    const entry = scene.disk.entries.get(String(position));
    const unit = entry === undefined ? undefined : queue.unitOf(entry.seq);
    if (entry === undefined || unit === undefined) continue;
    units.add(unit);
    if (entry.state !== null) scene.fail('claim-order', `${name(entry)} is ${entry.state}`);
  }
  for (const unit of units) {
    if (!unit.isFree) scene.fail('claim-order', `${name(unit.leader)} was claimed out of order`);
  }
  return [...units];
}

function isLeased(scene: Scene, unit: Unit): boolean {
  const leased = leasedPositions(scene.disk.leases.values());
  return unit.entries.some(({ position }) => leased.has(position));
}

export function leasedPositions(leases: Iterable<LeaseOnDisk>): ReadonlySet<number> {
  const leased = new Set<number>();
  for (const { positions } of leases) {
    for (const position of JSON.parse(positions) as number[]) leased.add(position);
  }
  return leased;
}
