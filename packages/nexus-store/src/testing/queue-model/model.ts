import type { ConflictDecision } from '../../core/queue/conflict.ts';
import type { ModelEntry, Value } from './order-model.ts';
import { WritingModel } from './writing-model.ts';

/** How entries end, and what people do with them. */
export class Model extends WritingModel {
  /** @returns true if what is known of the row is newer than the answer */
  complete(
    entry: ModelEntry,
    answer: Value | undefined,
    version: string | null,
    isOvertaken: boolean,
  ): boolean {
    const { lane } = entry;
    const server = this.serverOf(lane);
    if (entry.isDetached) {
      this.remove(entry);
      return false;
    }
    const isUnsure = entry.isRevived && this.setting.isPulled;
    const isNewer = isOvertaken || isUnsure || entry.pinned?.isInherited === false;
    const isPulled = isNewer || entry.isEchoed;
    const expected = this.applied(entry, server);
    if (!isPulled) this.server.set(lane, answer === undefined ? expected : answer);
    const before = this.versionOf(lane);
    if (!isPulled) this.version.set(lane, version);
    const wasHead = this.lane(lane)[0] === entry;
    const wasLong = this.lane(lane).length > 1 && !isPulled;
    this.remove(entry);
    const [head] = this.lane(lane);
    if (head === undefined) this.value.set(lane, this.serverOf(lane));
    else if (answer !== undefined || isPulled || !wasHead) this.refold(lane);
    const { pinned } = entry;
    const isCommand = entry.operation === 'command';
    if (pinned !== undefined && (isPulled || isCommand)) {
      const isUnchanged = !isCommand && !entry.isEchoed;
      const made = (isUnchanged ? version : null) ?? pinned.version;
      this.handOn(entry, { ...pinned, version: made, value: this.madeBy(entry, pinned) });
    }
    const isNews = answer !== undefined && answer !== null && expected !== null;
    const hasNews = isNews && JSON.stringify(answer) !== JSON.stringify(expected);
    if (isCommand && pinned === undefined && wasLong && hasNews) {
      const made = { version: before, value: expected, isInherited: true, hasOwn: false };
      this.handOn(entry, made);
      this.markStale(lane);
    }
    return isNewer;
  }

  /** What the row is expected to be once an entry has taken effect. */
  applied(entry: ModelEntry, server: Value): Value {
    return entry.isEchoed ? server : this.apply(server, entry);
  }

  bury(entry: ModelEntry): void {
    for (const member of this.unit(entry)) this.buryOne(member);
  }

  buryOne(entry: ModelEntry): void {
    if (entry.state === 'dead') return;
    const { lane } = entry;
    Object.assign(entry, { state: 'dead', notBefore: null, expiresAt: null });
    if (this.setting.onRejected === 'park') return;
    const isWhole = this.setting.onRejected === 'revert' || entry.operation === 'create';
    this.detachAll(isWhole ? this.lane(lane).filter(({ seq }) => seq >= entry.seq) : [entry]);
    this.refold(lane);
  }

  detachAll(entries: readonly ModelEntry[]): void {
    const mates = entries.flatMap((entry) => this.unit(entry));
    for (const entry of entries) {
      const { pinned, isStale } = entry;
      const hasBase = entry.operation !== 'command';
      const madeOn = hasBase ? { ...this.baseOf(entry), hasOwn: false } : undefined;
      Object.assign(entry, {
        state: 'dead',
        notBefore: null,
        expiresAt: null,
        isDetached: true,
        isEchoed: false,
        pinned: undefined,
        isStale: false,
        madeOn,
        group: undefined,
        followed: [...entry.after],
        after: new Set(),
      });
      for (const { after } of this.entries) after.delete(entry.seq);
      if (pinned !== undefined) this.handOn(entry, pinned);
      this.passStale({ ...entry, isStale });
    }
    for (const mate of mates) this.buryOne(mate);
  }

  rebase(
    entry: ModelEntry,
    { use, remote: { version } }: ConflictDecision,
    remote: Value,
    merged: Value,
  ): void {
    const { lane } = entry;
    const known = this.baseOf(entry);
    const base = known.value;
    let made = this.madeBy(entry, known);
    for (const other of this.lane(lane).filter(({ seq }) => seq > entry.seq)) {
      if (entry.group === undefined || other.group !== entry.group) {
        const { version: madeOn } = known;
        other.pinned ??= { version: madeOn, value: made, isInherited: true, hasOwn: false };
        break;
      }
      made = this.apply(made, other);
    }
    this.server.set(lane, remote);
    this.version.set(lane, version);
    if (this.lane(lane).at(-1) !== entry) this.markStale(lane);
    const next = this.lane(lane).find(({ seq }) => seq > entry.seq);
    if (use === 'remote') {
      this.remove(entry);
      if (entry.pinned !== undefined) this.handOn(entry, entry.pinned);
      this.passStale(entry);
    } else {
      if (use === 'local' && next?.pinned?.version === version) next.pinned = undefined;
      Object.assign(entry, {
        state: null,
        ambiguous: 0,
        notBefore: null,
        pinned: undefined,
        isStale: false,
        isEchoed: false,
        isRevived: false,
      });
      if (use === 'merged') {
        entry.operation = merged === null ? 'delete' : remote === null ? 'create' : 'update';
        entry.payload = merged;
        entry.isPatch = false;
      } else if (entry.operation === 'create' && remote !== null) {
        entry.operation = 'update';
      } else if (entry.operation === 'update' && remote === null) {
        entry.payload = this.apply(base, entry);
        entry.operation = 'create';
        entry.isPatch = false;
      }
    }
    this.refold(lane);
  }

  cancel(seq: number): string {
    const entry = this.entries.find((other) => other.seq === seq);
    if (entry === undefined) return 'not-found';
    const unit = this.unit(entry);
    const isHeld = (fence: number | null): boolean =>
      this.leases.some((lease) => lease.fence === fence && lease.until > this.now);
    if (unit.some(({ fence }) => isHeld(fence))) return 'claimed';
    if (unit.some(({ ambiguous, fence }) => ambiguous === 1 || fence !== null)) return 'ambiguous';
    const isNeeded = unit.some(
      (member) =>
        this.entries.some((other) => !unit.includes(other) && other.after.has(member.seq)) ||
        ((member.operation === 'create' || member.operation === 'delete') &&
          !member.isDetached &&
          this.lane(member.lane).some((other) => other.seq > member.seq && !unit.includes(other))),
    );
    if (isNeeded) return 'has-dependents';
    this.revert(unit);
    return 'cancelled';
  }

  revert(unit: readonly ModelEntry[]): void {
    for (const member of unit) {
      this.remove(member);
      if (member.isDetached) continue;
      if (member.pinned !== undefined) this.handOn(member, member.pinned);
      this.passStale(member);
    }
    for (const member of unit) if (!member.isDetached) this.refold(member.lane);
  }

  discard(seq: number): boolean {
    const entry = this.entries.find((other) => other.seq === seq);
    if (entry?.state !== 'dead') return false;
    const unit = this.unit(entry);
    for (const member of unit) {
      if (member.operation !== 'create' || member.isDetached) continue;
      const later = this.lane(member.lane).filter(
        (other) => other.seq > member.seq && !unit.includes(other),
      );
      const end = later.findIndex(
        ({ operation }) => operation === 'create' || operation === 'delete',
      );
      this.detachAll(end < 0 ? later : later.slice(0, end));
    }
    this.revert(unit);
    return true;
  }

  retry(seq: number, newKey: () => string): string {
    const entry = this.entries.find((other) => other.seq === seq);
    if (entry === undefined || entry.state === 'conflict') return 'not-found';
    if (entry.isDetached) return entry.fence === null ? this.reattach(entry, newKey) : 'blocked';
    const unit = this.unit(entry);
    const wasDead = entry.state === 'dead';
    for (const member of unit) {
      if (member.fence !== null || member.state === 'conflict') continue;
      if (member.state === 'dead' && member.ambiguous === 0) member.key = newKey();
      Object.assign(member, { state: null, attempts: 0, notBefore: null });
    }
    if (wasDead && entry.group === undefined && !this.foldBehind(entry)) return 'vanished';
    return this.isPlacedReady(unit) ? 'queued' : 'blocked';
  }

  /** What was written behind a dead letter that is retried is folded as if it were made now. */
  foldBehind(entry: ModelEntry): boolean {
    const isFresh = ({ state, fence, ambiguous }: ModelEntry): boolean =>
      state === null && fence === null && ambiguous !== 1;
    for (;;) {
      const lane = this.lane(entry.lane);
      const next = lane[lane.indexOf(entry) + 1];
      if (!this.setting.coalesce || next === undefined) return true;
      if (!isFresh(entry) || !isFresh(next)) return true;
      if (next.group !== undefined || next.after.size > 0 || next.operation === 'create')
        return true;
      if (next.pinned !== undefined) return true;
      const { key, ambiguous } = entry;
      this.entries = this.entries.filter((other) => other !== next);
      const effect = this.coalesceInto(entry, next, false);
      if (effect !== undefined) this.passStale(next);
      if (effect === undefined) {
        this.entries = [...this.entries, next].sort((a, b) => a.seq - b.seq);
        return true;
      }
      for (const { after } of this.entries) {
        if (after.delete(next.seq) && effect !== 'vanished') after.add(entry.seq);
      }
      // No server has seen the key that it has since it came back.
      Object.assign(entry, { key, ambiguous });
      this.refold(entry.lane);
      if (effect === 'vanished') return false;
    }
  }

  isPlacedReady(unit: readonly ModelEntry[]): boolean {
    const units = this.units();
    // A claimed entry keeps its place among those that may be sent until its claim ends.
    if (typeof unit[0]?.fence === 'number') return true;
    return this.isEligible(unit, units, -Infinity);
  }

  reattach(entry: ModelEntry, newKey: () => string): string {
    const { lane } = entry;
    const key = entry.ambiguous === 0 ? newKey() : entry.key;
    const tail = this.lane(lane).at(-1);
    const before = this.entries;
    this.remove(entry);
    const again: ModelEntry = {
      ...entry,
      key,
      group: undefined,
      after: new Set(),
      state: null,
      ambiguous: entry.ambiguous === 1 ? 1 : null,
      attempts: 0,
      isDetached: false,
      isRevived: entry.ambiguous === 1,
      followed: [],
    };
    if (entry.seq < (tail?.seq ?? 0)) {
      const isFresh = tail?.state === null && tail.fence === null && tail.ambiguous !== 1;
      const isDeleted = tail?.operation === 'delete';
      const exists = this.localOf(lane) !== null;
      const error =
        isFresh && entry.operation === 'create' && !isDeleted && exists
          ? 'store/exists'
          : isFresh && isDeleted && (entry.operation === 'update' || entry.operation === 'command')
            ? 'store/not-found'
            : undefined;
      if (error !== undefined) {
        this.entries = before;
        return error;
      }
      this.appendAgain({ ...again, seq: this.nextSeq++ }, entry.followed);
      return this.isPlacedReady([this.entries.at(-1) as ModelEntry]) ? 'queued' : 'blocked';
    }
    this.appendAgain(again, entry.followed);
    return this.isPlacedReady([again]) ? 'queued' : 'blocked';
  }

  /** What is back was made on what it was made on then. */
  appendAgain(entry: ModelEntry, after: readonly number[]): void {
    const { lane, madeOn } = entry;
    this.append(entry, after);
    const isOther = madeOn !== undefined && madeOn.version !== this.versionOf(lane);
    if (madeOn !== undefined) entry.pinned = isOther ? { ...madeOn, isInherited: true } : undefined;
    entry.madeOn = undefined;
  }
}
