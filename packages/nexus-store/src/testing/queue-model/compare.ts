import { isReady, rankOfPosition } from '../../core/queue/position.ts';
import { detailOf, laneDetailOf, type EntryRecord } from '../../core/queue/records.ts';
import { countedAnew } from '../queue-fixture.ts';
import type { ModelEntry } from './order-model.ts';
import type { Run } from './plan.ts';
import { valueOfText } from './settle-step.ts';

export async function compare(run: Run): Promise<void> {
  const { model, fixture, expect } = run;
  const entries = await fixture.entries();
  const leased = await fixture.writer.read(async (uow) => {
    const all = [...(await uow.leases()).values()].flatMap(
      (lease) => JSON.parse(lease.positions) as number[],
    );
    expect(new Set(all).size).toBe(all.length);
    return new Set(all);
  });
  const bySeq = new Map(entries.map((entry) => [entry.seq, entry]));
  expect(bySeq.size).toBe(entries.length);
  const seen = entries.map((entry) => seenOf(entry, leased)).sort((a, b) => a.seq - b.seq);
  expect(seen).toEqual(model.entries.map(expectedOf));
  expect(await fixture.counters()).toEqual(countedAnew(entries));
  const pending = entries.filter(({ state }) => state === null).length;
  expect(await fixture.collections()).toEqual(pending === 0 ? {} : { notes: pending });
  comparePositions(run, bySeq);
  for (const lane of ['lane-0', 'lane-1', 'lane-2']) await compareRow(run, lane, bySeq);
}

function seenOf(entry: EntryRecord, leased: ReadonlySet<number>) {
  const { seq, operation, priority, state, ambiguous, attempts, notBefore, expiresAt } = entry;
  return {
    seq,
    operation,
    priority,
    state,
    ambiguous,
    attempts,
    notBefore,
    expiresAt,
    payload: valueOfText(entry.payload),
    isPatch: detailOf(entry).isPatch === true,
    group: detailOf(entry).group,
    isDetached: detailOf(entry).isDetached === true,
    key: entry.idempotencyKey,
    isClaimed: leased.has(entry.position),
  };
}

function expectedOf(entry: ModelEntry) {
  const { seq, operation, priority, state, ambiguous, attempts, notBefore, expiresAt } = entry;
  const { payload, isPatch, group, isDetached, key } = entry;
  return {
    seq,
    operation,
    priority,
    state,
    ambiguous,
    attempts,
    notBefore,
    expiresAt,
    payload,
    isPatch,
    group,
    isDetached,
    key,
    isClaimed: entry.fence !== null,
  };
}

/** Who may be sent stands among those that may, at its effective priority; everyone else is parked. */
function comparePositions(run: Run, bySeq: ReadonlyMap<number, EntryRecord>): void {
  const { model, expect } = run;
  const units = model.units();
  for (const unit of units) {
    for (const member of unit) {
      if (member.fence !== null) continue;
      const { position } = bySeq.get(member.seq) as EntryRecord;
      const mayBeSent = member === unit[0] && model.isEligible(unit, units, -Infinity);
      expect([member.seq, isReady(position)]).toEqual([member.seq, mayBeSent]);
      if (mayBeSent) {
        const rank = rankOfPosition(position);
        expect([member.seq, rank]).toEqual([member.seq, model.effective(unit, units)]);
      }
    }
  }
}

async function compareRow(
  run: Run,
  lane: string,
  bySeq: ReadonlyMap<number, EntryRecord>,
): Promise<void> {
  const { model, fixture, expect } = run;
  const row = await fixture.row(lane);
  const waiting = model.lane(lane);
  expect([lane, valueOfText(row?.value ?? null)]).toEqual([lane, model.localOf(lane)]);
  expect(row?.depth ?? 0).toBe(waiting.length);
  expect(row?.head ?? null).toBe(waiting[0]?.seq ?? null);
  expect(row?.tail ?? null).toBe(waiting.at(-1)?.seq ?? null);
  if (waiting.length > 0) {
    expect([lane, valueOfText(row?.shadow ?? null)]).toEqual([lane, model.serverOf(lane)]);
    expect(model.localOf(lane)).toEqual(model.fold(lane));
  }
  const wants = row === undefined ? undefined : laneDetailOf(row)?.wants;
  if (wants !== undefined) expect(wants.reduce((a, b) => a + b, 0)).toBe(waiting.length);
  for (const [index, { seq }] of waiting.entries())
    expect(bySeq.get(seq)?.behind === null).toBe(index === 0);
}
