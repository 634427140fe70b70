/** A bug that is planted to see whether the simulator finds it. */
export interface Mutant {
  readonly name: string;
  /** In the sources of nexus-store. */
  readonly file: string;
  /** Each must occur exactly once. */
  readonly edits: readonly { readonly find: string; readonly replace: string }[];
}

function mutant(name: string, file: string, find: string, replace: string): Mutant {
  return { name, file: `core/${file}`, edits: [{ find, replace }] };
}

export const MUTANTS: readonly Mutant[] = [
  mutant(
    'settle without looking at the fence',
    'queue/settle.ts',
    'if (lease === undefined || lease.owner !== claim.owner) throw claimLost();',
    'if (lease === undefined) return [];',
  ),
  mutant(
    'delete before send',
    'queue/claim.ts',
    'await uow.putLease({ fence, partition, owner, until, leaseMs, positions });',
    `for (const entry of entries) {
      uow.deleteEntry(entry);
      uow.countEntry(partition, entry.priority, (entry.payload?.length ?? 0) + 100, -1);
    }
    await uow.putLease({ fence, partition, owner, until, leaseMs, positions });`,
  ),
  mutant(
    'coalesce into a claimed entry',
    'queue/coalesce.ts',
    'return !(await uow.leasedPositions()).has(entry.position);',
    'return true;',
  ),
  mutant(
    'coalesce into an ambiguous entry',
    'queue/coalesce.ts',
    'if (entry.state !== null || entry.ambiguous === 1) return false;',
    'if (entry.state !== null) return false;',
  ),
  mutant(
    'reuse the key for a merged payload',
    'queue/coalesce.ts',
    'idempotencyKey: next.ambiguous === null ? next.idempotencyKey : mutation.idempotencyKey,',
    'idempotencyKey: next.idempotencyKey,',
  ),
  mutant(
    'forget on a takeover that the entry may have been applied',
    'queue/claim.ts',
    ': { ...entry, ambiguous: 1 };',
    ': { ...entry, ambiguous: 0 };',
  ),
  mutant(
    'forget after a definite answer that an earlier attempt is unknown',
    'queue/settle.ts',
    'return entry.ambiguous === 1 ? 1 : (said ?? entry.ambiguous);',
    'return said ?? entry.ambiguous;',
  ),
  mutant(
    'claim whatever is ready, by age alone',
    'queue/claim.ts',
    'const isUrgent = request.deferLow',
    'candidates.toSorted((a, b) => a.entry.seq - b.entry.seq).forEach((c, i, all) => { if (i === 0) (candidates as Candidate[]).splice(0, candidates.length, ...all); });\n  const isUrgent = request.deferLow',
  ),
  mutant(
    'cut a transaction in two',
    'queue/claim.ts',
    'for (const member of unit) chosen.push(member);',
    'for (const member of unit) if (chosen.length < request.limit) chosen.push(member);',
  ),
  mutant(
    'a head is only as urgent as itself',
    'queue/place.ts',
    'return lane === null ? wantOf(entry) : bestRank(bestWanted(lane.wants), wantOf(entry));',
    'return lane === null ? entry.priority : entry.priority;',
  ),
  mutant(
    'send before what it comes after',
    'queue/place.ts',
    'return entry.notBefore !== null || entry.state !== null || (detail.after?.length ?? 0) > 0;',
    'return entry.notBefore !== null || entry.state !== null;',
  ),
  mutant(
    'lose count of dead letters',
    'queue/removal.ts',
    "dead: counters.dead - (state === 'dead' ? 1 : 0),",
    'dead: counters.dead,',
  ),
  mutant(
    'cancel what is being sent',
    'queue/control.ts',
    "if (unit.some((member) => leased.has(member.position))) return 'claimed';",
    '',
  ),
  mutant(
    'cancel what may have been applied',
    'queue/control.ts',
    "if (unit.some((member) => member.ambiguous === 1)) return 'ambiguous';",
    '',
  ),
  mutant(
    'ignore Retry-After',
    'sync/gate.ts',
    'return until !== null && until > now && until <= now + MAX_RETRY_AFTER_MS ? until : null;',
    'return until !== null && until > now + MAX_RETRY_AFTER_MS ? until : null;',
  ),
  mutant(
    'forget the gate on a restart',
    'sync/gate.ts',
    "uow.put('meta', [NAME], { name: NAME, value: JSON.stringify(gate) });",
    '',
  ),
  mutant(
    'a pull overwrites rows with writes waiting',
    'sync/pull-pass.ts',
    'if (row.depth === 0) {\n      storeServerRow',
    'if (row.depth >= 0) {\n      storeServerRow',
  ),
  mutant(
    'a pull brings deleted rows back',
    'sync/pull-pass.ts',
    'const value = pulled.isDeleted ? null : encodeValue(pulled.value);',
    'const value = pulled.isDeleted ? row.value : encodeValue(pulled.value);',
  ),
  mutant(
    'keep sending as the last user',
    'sync/outgoing.ts',
    'idempotencyKey: entry.idempotencyKey,',
    'idempotencyKey: `${entry.idempotencyKey}${entry.attempts}`,',
  ),
  {
    name: 'believe any success of a captive portal',
    file: 'remote/http/classify.ts',
    edits: [
      {
        find: "return isRecognised(facts) ? { kind: 'applied' } : retry(facts, 'endpoint', true);",
        replace: "return { kind: 'applied' };",
      },
    ],
  },
];
