/** A bug that is planted to see whether the simulator finds it. */
export interface Mutant {
  readonly name: string;
  readonly edits: readonly Edit[];
}

export interface Edit {
  /** In the sources of nexus-store. */
  readonly file: string;
  /** Must occur exactly once. */
  readonly find: string;
  readonly replace: string;
}

function mutant(name: string, file: string, find: string, replace: string): Mutant {
  return { name, edits: [{ file, find, replace }] };
}

const claims: readonly Mutant[] = [
  mutant(
    'settle without the fence',
    'core/queue/settle.ts',
    'if (lease === undefined || lease.owner !== claim.owner) throw claimLost();',
    `if (lease === undefined) {
      const all = await Promise.all(claim.entries.map((e) => findEntry(uow, e.partition, e.seq)));
      return all.filter((e) => e !== undefined && settlements.has(e.seq));
    }`,
  ),
  mutant(
    'delete before send',
    'core/queue/claim.ts',
    'await uow.putLease({ fence, partition, owner, until, leaseMs, positions });',
    `for (const entry of entries) {
      uow.deleteEntry(entry);
      uow.countEntry(partition, entry.priority, (entry.payload?.length ?? 0) + 100, -1);
    }
    await uow.putLease({ fence, partition, owner, until, leaseMs, positions });`,
  ),
  mutant(
    'claim what is claimed',
    'core/queue/claim.ts',
    'if (leased.has(entry.position)) continue;',
    '',
  ),
  mutant(
    'forget on a takeover that the entry may have been applied',
    'core/queue/claim.ts',
    ': { ...entry, ambiguous: 1 };',
    ': { ...entry, ambiguous: 0 };',
  ),
  mutant(
    'forget after a definite answer that an earlier attempt is unknown',
    'core/queue/settle.ts',
    'return entry.ambiguous === 1 ? 1 : (said ?? entry.ambiguous);',
    'return said ?? entry.ambiguous;',
  ),
  mutant(
    'cut a transaction in two',
    'core/queue/claim.ts',
    'for (const member of unit) chosen.push(member);',
    'for (const member of unit) if (chosen.length < request.limit) chosen.push(member);',
  ),
];

const order: readonly Mutant[] = [
  mutant(
    'the best is not claimed first',
    'core/queue/position.ts',
    'return partition * PARTITION_SIZE + rank * RANK_SIZE + seq;',
    'return partition * PARTITION_SIZE + (3 - rank) * RANK_SIZE + seq;',
  ),
  mutant(
    'a head is only as urgent as itself',
    'core/queue/place.ts',
    'return lane === null ? wantOf(entry) : bestRank(bestWanted(lane.wants), wantOf(entry));',
    'return lane === null ? wantOf(entry) : wantOf(entry);',
  ),
  mutant(
    'the wrong entry becomes the head of its lane',
    'core/queue/lanes.ts',
    "return (await uow.scanEntries({ index: 'lane', prefix, limit: 1 }))[0];",
    "return (await uow.scanEntries({ index: 'lane', prefix, limit: 1, reverse: true }))[0];",
  ),
  mutant(
    'send before what it comes after',
    'core/queue/place.ts',
    'return entry.notBefore !== null || entry.state !== null || (detail.after?.length ?? 0) > 0;',
    'return entry.notBefore !== null || entry.state !== null;',
  ),
];

const coalescing: readonly Mutant[] = [
  mutant(
    'coalesce into a claimed entry',
    'core/queue/coalesce.ts',
    'return !(await uow.leasedPositions()).has(entry.position);',
    'return true;',
  ),
  mutant(
    'coalesce into an ambiguous entry',
    'core/queue/coalesce.ts',
    'if (entry.state !== null || entry.ambiguous === 1) return false;',
    'if (entry.state !== null) return false;',
  ),
  mutant(
    'reuse the key for a merged payload',
    'core/queue/coalesce.ts',
    'idempotencyKey: next.ambiguous === null ? next.idempotencyKey : mutation.idempotencyKey,',
    'idempotencyKey: next.idempotencyKey,',
  ),
  mutant(
    'leave a payload to a row that shows a later one',
    'core/queue/record-buffer.ts',
    'if (entry?.isInRow === true) this.#markDirty(entry);',
    'if (entry?.isInRow === false) this.#markDirty(entry);',
  ),
];

const control: readonly Mutant[] = [
  mutant(
    'forget what a waiting write was made on',
    'core/queue/pins.ts',
    'if (detailOf(entry).pinned !== undefined) return;',
    'return;',
  ),
  mutant(
    'keep the indexes of the own version alone',
    'core/store/field-indexes.ts',
    'if (uow.state.indexes !== this.#number) return this.#maintainAnew(uow);',
    '',
  ),
  mutant(
    'lose count of dead letters',
    'core/queue/removal.ts',
    "dead: counters.dead - (state === 'dead' ? 1 : 0),",
    'dead: counters.dead,',
  ),
  mutant(
    'leave what a user has discarded where a kill left it',
    'core/store/backend-core.ts',
    'this.eraser.resume(this.#toErase);',
    '',
  ),
  mutant(
    'claim what another context has discarded',
    'core/sync/push-pass.ts',
    'uow.requireOpen(partition);',
    '',
  ),
  mutant(
    'cancel what is being sent',
    'core/queue/control.ts',
    "if (unit.some(isHeld)) return 'claimed';",
    '',
  ),
  mutant(
    'cancel what may have been applied',
    'core/queue/control.ts',
    "if (unit.some(mayBeApplied)) return 'ambiguous';",
    '',
  ),
  mutant(
    'a write that failed in a shared commit is kept',
    'core/queue/writer.ts',
    'work.rollbackTo(savepoint);',
    '',
  ),
];

const engine: readonly Mutant[] = [
  mutant(
    'ignore Retry-After',
    'core/sync/gate.ts',
    'export function askedToWaitUntil(gate: Gate, now: number): number | null {',
    'export function askedToWaitUntil(gate: Gate, now: number): number | null {\n  if (now > 0) return null;',
  ),
  mutant(
    'forget the gate on a restart',
    'core/sync/gate.ts',
    "uow.put('meta', [NAME], { name: NAME, value: JSON.stringify(gate) });",
    '',
  ),
  mutant(
    'blame no entry for a way that breaks with it alone',
    'core/sync/outcome-policy.ts',
    'if (!outcomes.every(isNoWay)) return false;',
    'return false;',
  ),
  mutant(
    'send the entry that broke the way again before others',
    'core/queue/claim.ts',
    "suspects !== 'alone' && isSuspect(entry);",
    'false;',
  ),
  mutant(
    'a new key for every attempt',
    'core/sync/outgoing.ts',
    'idempotencyKey: entry.idempotencyKey,',
    'idempotencyKey: `${entry.idempotencyKey}${entry.attempts}`,',
  ),
  {
    name: 'set no timer for what is left',
    edits: [
      {
        file: 'core/sync/auto-sync.ts',
        find: 'if (at !== null) this.#callIn(Math.max(CONTINUE_MS, this.#msUntil(at)));',
        replace: '',
      },
      {
        file: 'core/sync/auto-sync.ts',
        find: 'this.#callIn(Math.max(delayMs, this.#msUntil(at)));',
        replace: '',
      },
    ],
  },
  mutant(
    'a pull overwrites rows with writes waiting',
    'core/sync/pull-pass.ts',
    'if (row.depth === 0) {',
    'if (row.depth >= 0) {',
  ),
  mutant(
    'a pull brings deleted rows back',
    'core/sync/pull-pass.ts',
    'text: row.isDeleted ? null : encodeValue(value)',
    'text: row.isDeleted ? \'{"id":"x1","token":0}\' : encodeValue(value)',
  ),
  {
    name: 'a page that is older than an acknowledgement is taken',
    edits: [
      {
        file: 'core/sync/pull-pass.ts',
        find: 'return keys !== undefined && (operationId === null || !keys.includes(operationId));',
        replace: 'return false;',
      },
      {
        file: 'core/sync/pull-pass.ts',
        find: 'return keys === undefined || keys.at(-1) === operationId;',
        replace: 'return true;',
      },
    ],
  },
  mutant(
    'the cursor goes on without the last row of a page',
    'core/sync/pull-pass.ts',
    'for (const row of fresh) await this.#apply(uow, collection, row, at);',
    'for (const row of fresh.slice(0, 6)) await this.#apply(uow, collection, row, at);',
  ),
  {
    name: 'what is under way goes on as the next user',
    edits: [
      {
        file: 'core/sync/send-batch.ts',
        find: '{ remote, runtime }: SyncContext,\n  principal: Principal,',
        replace: '{ remote, runtime, principal: now }: SyncContext,\n  principal: Principal,',
      },
      {
        file: 'core/sync/send-batch.ts',
        find: 'principal: principal.id,',
        replace: 'principal: now().id,',
      },
      {
        file: 'core/store/principals.ts',
        find: 'await core.engine.exclusively(async () => {',
        replace: 'await ((body: () => Promise<void>) => body())(async () => {',
      },
    ],
  },
];

const remote: readonly Mutant[] = [
  mutant(
    'believe any success of a captive portal',
    'remote/http/classify.ts',
    "return isRecognised(facts) ? { kind: 'applied' } : retry(facts, 'endpoint', true);",
    "return { kind: 'applied' };",
  ),
  mutant(
    'a lost answer means not applied',
    'remote/http/transport.ts',
    'ambiguous: !NEVER_SENT_CODES.has(code),',
    'ambiguous: false,',
  ),
  mutant(
    'results in the wrong order',
    'remote/http/http-remote.ts',
    'return batch.map((entry) => this.#settle(entry, reply, facts, results, secrets));',
    'return batch.map((entry) => this.#settle(entry, reply, facts, results, secrets)).toReversed();',
  ),
];

/** What only the calls around the queue can show: races, transactions, other ways to write, other apps. */
const app: readonly Mutant[] = [
  mutant(
    'writes of one turn go in the wrong order',
    'core/queue/writer.ts',
    'const taken = this.#jobs.slice(start, end);',
    'const taken = this.#jobs.slice(start, end).toReversed();',
  ),
  mutant(
    'a transaction is stored although what it read has changed',
    'core/store/transaction.ts',
    'if (!(await areUnchanged(uow, partition, reads))) return false;',
    '',
  ),
  mutant(
    'a transaction does not read what it has written',
    'core/store/transaction.ts',
    'if (mutation.collection === access.collection && mutation.id === key)',
    'if (mutation.collection === access.collection && mutation.id !== key)',
  ),
  mutant(
    'what the server refused is kept',
    'core/store/remote-first.ts',
    "if (outcome.kind !== 'applied') throw refusal(outcome);",
    "if (outcome.kind === 'conflict') throw refusal(outcome);",
  ),
  mutant(
    'only the queue hears of Retry-After',
    'core/store/remote-first.ts',
    'await core.engine.learn(outcome, started, window);',
    '',
  ),
  mutant(
    'what is for this device alone is sent as well',
    'core/store/store-writer.ts',
    "if (mutation.policy === 'queue') return this.#enqueue(mutation, value);",
    "if (mutation.policy !== 'remote-first') return this.#enqueue(mutation, value);",
  ),
  mutant(
    'what an older version of the app queued is sent as it was',
    'core/sync/migrate-entries.ts',
    'return target?.migrate !== undefined && from < target.schemaVersion;',
    'return target?.migrate === undefined && from < 0;',
  ),
  mutant(
    'the app goes on seeing what is no longer queued',
    'core/sync/migrate-entries.ts',
    'await settleRowOf(uow, entry, rulesOf(entry.collection));',
    '',
  ),
  mutant(
    'nobody elsewhere hears that a write was cancelled',
    'core/queue/departures.ts',
    'if (record === undefined) return undefined;',
    'if (record !== null) return undefined;',
  ),
];

const surroundings: readonly Mutant[] = [
  mutant(
    'hints lead to nothing',
    'core/sync/hint-listener.ts',
    'this.#options.onHints(hinted.has(null) ? null : (hinted as Set<string>));',
    '',
  ),
  mutant(
    'a stream that nobody answered is waited for for ever',
    'core/sync/hint-listener.ts',
    "this.#cancel = timers.after(OPENING_MS, () => this.#controller.abort('silent'));",
    'this.#cancel = () => {};',
  ),
  mutant(
    'waits are not moved back with the clock',
    'core/queue/waits.ts',
    'return Math.max(0, (await lastSetAt(uow, partition)) - now);',
    'return Math.max(0, (await lastSetAt(uow, partition)) * 0);',
  ),
  mutant(
    'a request may be as big as it will',
    'core/queue/claim.ts',
    'if (chosen.length > 0 && bytes > maxBytes) break;',
    '',
  ),
  mutant(
    'SQLite takes the end of a range along',
    'storage/sqlite/table-statements.ts',
    "range.toOpen ? '<' : '<='",
    "range.toOpen ? '<=' : '<='",
  ),
  mutant(
    'SQLite reads backwards as it reads forwards',
    'storage/sqlite/table-statements.ts',
    "range.reverse ? ' DESC' : ''",
    "range.reverse ? '' : ''",
  ),
];

/** What only a loss of power shows. */
const power: readonly Mutant[] = [
  mutant(
    'strict durability does not wait for the disk',
    'storage/sqlite/sqlite-session.ts',
    "isStrict ? 'FULL' : 'NORMAL'",
    "isStrict ? 'OFF' : 'NORMAL'",
  ),
  mutant(
    'strict durability waits for the disk at checkpoints only',
    'storage/sqlite/sqlite-session.ts',
    "isStrict ? 'FULL' : 'NORMAL'",
    "isStrict ? 'NORMAL' : 'NORMAL'",
  ),
  mutant(
    'row and entry are committed one after the other',
    'storage/sqlite/sqlite-transaction.ts',
    'if (table?.name !== change.table) table = this.#session.table(change.table);',
    `if (table?.name !== change.table) {
        if (change.table === 'entries') {
          await this.#session.commit();
          await this.#session.begin('write');
        }
        table = this.#session.table(change.table);
      }`,
  ),
];

/** What a write promised that takes another one in. */
const folds: readonly Mutant[] = [
  mutant(
    'a folded write dies of the limit of the later one',
    'core/queue/coalesce.ts',
    'expiresAt: laterExpiry(next.expiresAt, mutation.expiresAt),',
    'expiresAt: mutation.expiresAt,',
  ),
  mutant(
    'what others come after vanishes with its delete',
    'core/queue/coalesce.ts',
    'if ((await dependentsOf(uow, tail)).length > 0) return undefined;',
    '',
  ),
];

/** What was written behind a dead letter before somebody retried it. */
const retry: readonly Mutant[] = [
  mutant(
    'a corrected value is dropped when the refused one is retried',
    'core/queue/fold-behind.ts',
    'payload: folded,',
    'payload: entry.payload,',
  ),
  mutant(
    'what is retried under its old key takes later writes in',
    'core/queue/fold-behind.ts',
    '(await isFresh(uow, current))) {',
    'current.state === null) {',
  ),
];

/** What contexts without the app's stores leave to those that have them. */
const tools: readonly Mutant[] = [
  mutant(
    'nobody decides what a command line has left',
    'core/queue/undecided.ts',
    'return (await read(uow, partition)).some(([collection]) => decides(collection));',
    'return false;',
  ),
];

export const MUTANTS: readonly Mutant[] = [
  ...claims,
  ...order,
  ...coalescing,
  ...control,
  ...engine,
  ...remote,
  ...app,
  ...surroundings,
  ...power,
  ...retry,
  ...folds,
  ...tools,
];
