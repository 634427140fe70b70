import { isNexusError } from '../../core/model/errors.ts';
import type { PriorityRank } from '../../core/model/priority.ts';
import { encodeValue } from '../../core/model/value-codec.ts';
import { claimEntries, expiredEntries } from '../../core/queue/claim.ts';
import { rebaseOnPull } from '../../core/queue/conflict.ts';
import {
  cancelEntry,
  changeEntryPriority,
  discardEntry,
  resolveConflict,
  retryEntry,
} from '../../core/queue/control.ts';
import { closeGroup, enqueueMutation } from '../../core/queue/enqueue.ts';
import { emptyRow, type EntryDetail, type EntryRecord } from '../../core/queue/records.ts';
import { buryEntry } from '../../core/queue/settle.ts';
import type { UnitOfWork } from '../../core/queue/unit-of-work.ts';
import { failing } from '../queue-fixture.ts';
import type { Model } from './model.ts';
import { LEASE_MS, type ModelEntry, type Value } from './order-model.ts';
import { pick, type RawMutate, type Run, type Step, type Wish } from './plan.ts';
import { mergedOf, settleStep, valueOfText } from './settle-step.ts';
import type { Mutate } from './writing-model.ts';

function mutateOf(raw: RawMutate, model: Model): Mutate {
  const after = raw.after?.map((index) => pick(model.entries, index)?.seq ?? 999);
  return {
    lane: `lane-${raw.lane}`,
    kind: raw.write,
    field: raw.field === 0 ? 'a' : 'b',
    number: raw.number,
    priority: raw.priority as PriorityRank,
    after,
    ttl: raw.ttl,
  };
}

function realMutation(run: Run, uow: UnitOfWork, wish: Mutate, key: string, group?: string) {
  const { fixture } = run;
  const { lane, kind, after } = wish;
  return uow.row(0, 'notes', lane).then((row) => {
    const exists = row !== undefined && row.value !== null;
    const operation =
      kind === 'save' ? (exists ? 'update' : 'create') : kind === 'patch' ? 'update' : kind;
    const detail: EntryDetail = {
      ...(kind === 'patch' ? { isPatch: true } : {}),
      ...(kind === 'command' ? { command: 'add' } : {}),
      ...(group === undefined ? {} : { group }),
    };
    const value = kind === 'delete' ? null : { [wish.field]: wish.number };
    const mutation = fixture.mutation(lane, value, {
      operation,
      priority: wish.priority,
      key,
      ...(after === undefined ? {} : { after }),
      ...(wish.ttl === null ? {} : { expiresAt: run.model.now + wish.ttl }),
      ...(Object.keys(detail).length === 0 ? {} : { detail }),
    });
    return enqueueMutation(uow, mutation, fixture.rules, fixture.limits);
  });
}

function mutateStep(run: Run, raw: RawMutate): Step {
  const wish = mutateOf(raw, run.model);
  const key = `m${run.count}`;
  return {
    real: async (uow) => (await realMutation(run, uow, wish, key)).effect,
    model: () => run.model.enqueue(wish, key, undefined),
  };
}

function transactionStep(run: Run, raws: readonly RawMutate[]): Step {
  const { model } = run;
  const wishes = raws.map((raw) => mutateOf(raw, model));
  const prefix = `t${run.count}`;
  return {
    real: async (uow) => {
      const group = `g${uow.state.nextSeq}`;
      const members: number[] = [];
      for (const [index, wish] of wishes.entries()) {
        const { seq } = await realMutation(run, uow, wish, `${prefix}-${index}`, group);
        if (seq !== null) members.push(seq);
      }
      await closeGroup(uow, 0, members);
      return 'done';
    },
    model: () => {
      const before = structuredClone({
        entries: model.entries,
        value: model.value,
        server: model.server,
        nextSeq: model.nextSeq,
      });
      const group = `g${model.nextSeq}`;
      for (const [index, wish] of wishes.entries()) {
        const effect = model.enqueue(wish, `${prefix}-${index}`, group);
        if (!effect.startsWith('store/')) continue;
        model.entries = before.entries;
        model.nextSeq = before.nextSeq;
        for (const [lane, value] of before.value) model.value.set(lane, value);
        for (const lane of model.value.keys()) {
          if (!before.value.has(lane)) model.value.delete(lane);
        }
        for (const [lane, value] of before.server) model.server.set(lane, value);
        return effect;
      }
      return 'done';
    },
  };
}

function claimStep(run: Run, limit: number, worst: number, deferLow: boolean): Step {
  const { model } = run;
  return {
    real: async (uow) => {
      const claim = await claimEntries(uow, {
        partition: 0,
        owner: 'runner',
        leaseMs: LEASE_MS,
        limit,
        now: model.now,
        worst: worst as PriorityRank,
        deferLow,
      });
      return claim?.entries.map(({ seq }) => seq) ?? [];
    },
    model: () => model.claim(limit, worst, deferLow),
  };
}

/** What is for dead letters would rarely meet one by chance. */
function letters({ entries }: Model, kind: string, how: number): readonly ModelEntry[] {
  const isForThem = kind === 'retry' || kind === 'discard';
  return isForThem && how % 3 > 0 ? entries.filter(({ state }) => state === 'dead') : [];
}

function controlStep(run: Run, kind: string, which: number, how: number): Step | undefined {
  const { model } = run;
  const { rulesOf, limits } = run.fixture;
  const seq = (pick(letters(model, kind, how), which) ?? pick(model.entries, which))?.seq ?? 77;
  const entry = model.entries.find((other) => other.seq === seq);
  const keys = (): (() => string) => {
    let count = 0;
    return () => `r${run.count}-${count++}`;
  };
  switch (kind) {
    case 'cancel':
      return {
        real: (uow) => cancelEntry(uow, 0, seq, rulesOf, model.now),
        model: () => model.cancel(seq),
      };
    case 'retry':
      return {
        real: (uow) => retryEntry(uow, 0, seq, keys(), limits, rulesOf),
        model: () => model.retry(seq, keys()),
      };
    case 'discard':
      return {
        real: (uow) => discardEntry(uow, 0, seq, rulesOf),
        model: () => model.discard(seq),
      };
    case 'reprioritise': {
      const priority = (how % 4) as PriorityRank;
      return {
        real: (uow) => changeEntryPriority(uow, 0, seq, priority),
        model: () => {
          if (entry === undefined || entry.state === 'dead') return false;
          entry.priority = priority;
          return true;
        },
      };
    }
    default: {
      const remote = { version: 'v-remote', value: how % 2 === 0 ? encodeValue({ r: how }) : null };
      const use = (['local', 'remote', 'merged'] as const)[how % 3] as 'local';
      const idempotencyKey = `d${run.count}`;
      const decision = { remote, use, merged: mergedOf(how), idempotencyKey };
      return {
        real: (uow) => resolveConflict(uow, 0, seq, () => decision, rulesOf),
        model: () => {
          if (entry?.state !== 'conflict') return false;
          if (use !== ('remote' as string)) entry.key = idempotencyKey;
          model.rebase(
            entry,
            decision,
            valueOfText(remote.value) as Value,
            valueOfText(decision.merged) as Value,
          );
          return true;
        },
      };
    }
  }
}

function pullStep(run: Run, laneIndex: number, number: number | null, isEcho: boolean): Step {
  const { model } = run;
  const lane = `lane-${laneIndex}`;
  const remote = number === null ? null : { p: number };
  const version = `p${run.count}`;
  return {
    real: async (uow) => {
      const row = (await uow.row(0, 'notes', lane)) ?? emptyRow(0, 'notes', lane);
      const value = remote === null ? null : encodeValue(remote);
      if (row.depth > 0)
        await rebaseOnPull(uow, row, { version, value }, isEcho, run.fixture.rules);
      else if (value !== null) uow.putRow({ ...row, value, version });
      else uow.deleteRow(row);
    },
    model: () => {
      const [head] = model.lane(lane);
      if (head === undefined) {
        model.value.set(lane, remote);
        model.server.set(lane, remote);
        model.version.set(lane, version);
        return;
      }
      if (isEcho) Object.assign(head, { isEchoed: true, ambiguous: 1 });
      else {
        head.pinned = { ...model.baseOf(head), isInherited: false };
        model.markStale(lane);
      }
      model.server.set(lane, remote);
      model.version.set(lane, version);
      model.refold(lane);
    },
  };
}

function expireStep(run: Run): Step {
  const { model } = run;
  return {
    real: async (uow) => {
      const failure = { code: 'queue/expired', at: model.now };
      for (const entry of await expiredEntries(uow, 0, model.now))
        await buryEntry(uow, entry, failure, run.fixture.rulesOf);
    },
    model: () => {
      const expired = model.entries
        .filter(
          (entry) =>
            entry.expiresAt !== null &&
            entry.expiresAt <= model.now &&
            entry.state === null &&
            model.unit(entry).every(({ fence, ambiguous }) => fence === null && ambiguous !== 1),
        )
        .sort((a, b) => (a.expiresAt ?? 0) - (b.expiresAt ?? 0) || a.seq - b.seq);
      for (const entry of expired) if (entry.state !== 'dead') model.bury(entry);
    },
  };
}

function stepOf(run: Run, wish: Wish): Step | undefined {
  switch (wish.kind) {
    case 'mutate':
      return mutateStep(run, wish);
    case 'transaction':
      return transactionStep(run, wish.writes);
    case 'claim':
      return claimStep(run, wish.limit, wish.worst, wish.deferLow);
    case 'settle':
      return settleStep(run, wish.which, wish.how);
    case 'pull':
      return pullStep(run, wish.lane, wish.value, wish.isEcho);
    case 'expire':
      return expireStep(run);
    case 'advance':
    case 'reopen':
      return undefined;
    default:
      return controlStep(run, wish.kind, wish.which, wish.how);
  }
}

export async function perform(run: Run, wish: Wish, fails: boolean): Promise<void> {
  run.count += 1;
  if (wish.kind === 'advance') {
    run.model.now += wish.ms;
    run.fixture.now = run.model.now;
  } else if (wish.kind === 'reopen') {
    run.fixture = await run.reopen();
  }
  const step = stepOf(run, wish);
  if (step === undefined) return;
  if (fails) {
    await failing(run.fixture.writer, step.real);
    return;
  }
  const result = await run.fixture.write(step.real).catch((error: unknown) => {
    if (isNexusError(error)) return error.code;
    throw error;
  });
  run.expect(result).toEqual(step.model());
  if (wish.kind === 'claim') await noteSent(run, result as number[]);
}

/** A key never stands for two payloads. */
async function noteSent(run: Run, seqs: readonly number[]): Promise<void> {
  for (const seq of seqs) {
    const entry = (await run.fixture.entry(seq)) as EntryRecord;
    const content = `${entry.operation} ${entry.payload}`;
    run.expect(run.sent.get(entry.idempotencyKey) ?? content).toBe(content);
    run.sent.set(entry.idempotencyKey, content);
  }
}
