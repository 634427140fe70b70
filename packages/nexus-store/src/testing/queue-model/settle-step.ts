import { decodeValue, encodeValue } from '../../core/model/value-codec.ts';
import { settleClaim, type Settlement } from '../../core/queue/settle.ts';
import type { Model } from './model.ts';
import type { ModelEntry, Value } from './order-model.ts';
import { pick, type Run, type Step } from './plan.ts';

const HOW_MANY = 8;

function settlementOf(run: Run, how: number, index: number): Settlement {
  const failure = { code: 'remote/server', at: run.model.now };
  const remote = { version: 'v-remote', value: how % 2 === 0 ? encodeValue({ r: how }) : null };
  const idempotencyKey = `s${run.count}-${index}`;
  switch (how % HOW_MANY) {
    case 0:
    case 1:
      return { kind: 'complete', version: 'v' };
    case 2:
      return { kind: 'complete', version: 'v', value: encodeValue({ s: how }) };
    case 3:
      return {
        kind: 'release',
        ambiguous: how % 3 === 0 ? null : how % 3 === 1 ? 0 : 1,
        notBefore: how % 2 === 0 ? null : run.model.now + (how % 5) * 300,
        consumesAttempt: how % 4 === 0,
        failure,
      };
    case 4:
      return { kind: 'release', ambiguous: 0, notBefore: null, consumesAttempt: true };
    case 5:
      return { kind: 'bury', failure, consumesAttempt: true, ambiguous: how % 3 === 0 ? 1 : 0 };
    case 6:
      return { kind: 'conflict', failure, remote };
    default: {
      const use = (['local', 'remote', 'merged'] as const)[how % 3] as 'local';
      return { kind: 'resolve', remote, use, merged: mergedOf(how), idempotencyKey };
    }
  }
}

export function mergedOf(how: number): string | null {
  return how % 5 === 0 ? null : encodeValue({ m: how });
}

export function settleStep(run: Run, which: number, how: readonly number[]): Step | undefined {
  const { model } = run;
  // Leases that time has ended stand until somebody takes them over.
  const lease = pick(model.leases, which);
  if (lease === undefined) return undefined;
  const held = model.entries.filter(({ fence }) => fence === lease.fence);
  const chosen = how.length >= held.length ? held : held.slice(0, Math.max(1, how.length));
  const settlements = new Map(
    chosen.map((entry, index) => [entry.seq, settlementOf(run, how[index] ?? 0, index)]),
  );
  return {
    real: async (uow) => {
      const { rulesOf } = run.fixture;
      await settleClaim(uow, { fence: lease.fence, owner: 'runner' }, settlements, rulesOf);
      return 'settled';
    },
    model: () => {
      for (const entry of chosen) entry.fence = null;
      if (chosen.length === held.length)
        model.leases = model.leases.filter((other) => other !== lease);
      const isDone = (entry: ModelEntry): boolean =>
        entry.isEchoed ||
        ['complete', 'resolve'].includes(settlements.get(entry.seq)?.kind as string);
      const done = chosen.filter(isDone);
      const overtaken: ModelEntry[] = [];
      for (const entry of done) {
        const settlement = settlements.get(entry.seq) as Settlement;
        if (settlement.kind !== 'complete' && !entry.isEchoed) {
          settleInModel(model, entry, settlement);
          continue;
        }
        const answer = settlement.kind === 'complete' ? valueOfText(settlement.value) : undefined;
        // A transaction is applied whole: what is newer than one of its writes is newer than all.
        const isOvertaken = overtaken.some(
          ({ group, lane }) => group !== undefined && group === entry.group && lane === entry.lane,
        );
        const version = (settlement.kind === 'complete' ? settlement.version : null) ?? null;
        if (model.complete(entry, answer, version, isOvertaken)) overtaken.push(entry);
      }
      for (const entry of chosen) {
        const settlement = settlements.get(entry.seq) as Settlement;
        const isUnsent = settlement.kind === 'release' && settlement.ambiguous === null;
        if (isUnsent && entry.ambiguous === null) run.sent.delete(entry.key);
      }
      for (const entry of chosen) {
        if (!done.includes(entry))
          settleInModel(model, entry, settlements.get(entry.seq) as Settlement);
      }
      return 'settled';
    },
  };
}

function settleInModel(model: Model, entry: ModelEntry, settlement: Settlement): void {
  const said = 'ambiguous' in settlement ? settlement.ambiguous : undefined;
  // It was buried with the rest of its transaction.
  if (entry.state === 'dead') {
    entry.ambiguous =
      entry.ambiguous === 1 ? 1 : (('ambiguous' in settlement ? said : 0) ?? entry.ambiguous);
    return;
  }
  switch (settlement.kind) {
    case 'complete':
      return;
    case 'release':
      entry.ambiguous = entry.ambiguous === 1 ? 1 : (said ?? entry.ambiguous);
      entry.notBefore = settlement.notBefore;
      if (settlement.consumesAttempt) entry.attempts += 1;
      return;
    case 'bury':
      entry.attempts += 1;
      entry.ambiguous = entry.ambiguous === 1 ? 1 : (said ?? entry.ambiguous);
      return model.bury(entry);
    case 'conflict':
      Object.assign(entry, { state: 'conflict', ambiguous: 0, notBefore: null });
      return;
    case 'resolve':
      if (settlement.use !== 'remote') entry.key = settlement.idempotencyKey;
      model.rebase(
        entry,
        settlement,
        valueOfText(settlement.remote.value) as Value,
        valueOfText(settlement.merged ?? null) as Value,
      );
  }
}

export function valueOfText(text: string | null | undefined): Value | undefined {
  if (text === undefined) return undefined;
  return text === null ? null : (decodeValue(text) as Value);
}
