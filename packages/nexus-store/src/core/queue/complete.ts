import { isSame } from '../model/same-value.ts';
import { isReadable } from '../model/stored-text.ts';
import { decodeValue } from '../model/value-codec.ts';
import type { CollectionRules, RulesOf } from './collection-rules.ts';
import { releaseDependents } from './dependencies.ts';
import { applyMutation, settleNews } from './fold.ts';
import { leaveLane } from './lanes.ts';
import { rowOf } from './lookup.ts';
import { handOn, madeBy, markStale } from './pins.ts';
import { isPulledByAny } from './pulled.ts';
import { detailOf, entryBytes, type EntryRecord, type RowRecord } from './records.ts';
import { discount } from './removal.ts';
import type { Complete } from './settlement.ts';
import type { UnitOfWork } from './unit-of-work.ts';

/**
 * The common case, an entry without ties that is alone in its lane, done without a promise: the app
 * sees already what the server has now. False if it is not that case.
 */
export function completeAlone(uow: UnitOfWork, entry: EntryRecord, answer: Complete): boolean {
  if (entry.detail !== null || entry.state !== null || entry.operation === 'command') return false;
  if (entry.operation !== 'item') {
    if (answer.value !== undefined) return false;
    const row = uow.rowAtHand(entry.partition, entry.collection, entry.entity);
    if (row === false || row === undefined || row.depth !== 1) return false;
    putApplied(uow, row, versionAfter(answer), fetchedAt(uow, entry, row, answer));
  }
  uow.deleteEntry(entry);
  const { partition, priority, collection, payload } = entry;
  uow.countEntry(partition, priority, entryBytes(payload), -1, collection);
  return true;
}

/** The row of an entity with nothing waiting any more. */
function putApplied(
  uow: UnitOfWork,
  row: RowRecord,
  version: string | null,
  at: number | null,
): void {
  if (row.value === null) return uow.deleteRow(row);
  uow.putRow({
    partition: row.partition,
    collection: row.collection,
    id: row.id,
    value: row.value,
    shadow: null,
    version,
    head: null,
    tail: null,
    depth: 0,
    lane: null,
    fetchedAt: at,
  });
}

/**
 * When the server said so. Of an entry that was sent before it may say again what was true then: the row may be
 * gone since, so a full fetch that does not bring it sweeps it.
 */
function fetchedAt(
  uow: UnitOfWork,
  { ambiguous }: EntryRecord,
  row: RowRecord,
  { at }: Complete,
): number | null {
  if (at === undefined) return row.fetchedAt;
  // The server knows the entity in any case, be it by something as old as can be.
  return ambiguous === 1 ? (row.fetchedAt ?? 0) : uow.state.fetchedAt(at);
}

/** Without a version from the server, the one that is known is not the row's any more. */
function versionAfter(answer: Complete): string | null {
  return answer.version ?? null;
}

/**
 * Takes an applied entry out of the queue; what waited for it goes on.
 *
 * @param isOvertaken the row is known to be newer than the answer
 * @returns true if the row is newer than the answer, not only its echo
 */
export async function completeEntry(
  uow: UnitOfWork,
  entry: EntryRecord,
  answer: Complete,
  rulesOf: RulesOf,
  isOvertaken: boolean,
): Promise<boolean> {
  await releaseDependents(uow, entry);
  // It goes first: what moves up in its lane may move the rest of its transaction.
  uow.deleteEntry(entry);
  discount(uow, entry);
  const row = await rowOf(uow, entry);
  if (row === undefined || detailOf(entry).isDetached === true) return false;
  const rules = rulesOf(entry.collection);
  const isNewer = isOvertaken || (await isPullNewer(uow, entry, row, rules));
  const isPulled = isNewer || detailOf(entry).isEchoed === true;
  // The base of what waits behind moves forward: it was made on top of what the server has now. Where others
  // have changed the row since, it keeps what it was made on.
  const expected = isPulled ? null : applied(row, entry, answer, rules);
  uow.putRow(
    isPulled
      ? { ...row, fetchedAt: fetchedAt(uow, entry, row, answer) }
      : {
          ...row,
          version: versionAfter(answer),
          shadow: answer.value ?? expected,
          fetchedAt: fetchedAt(uow, entry, row, answer),
        },
  );
  const { pinned } = detailOf(entry);
  await leaveLane(uow, entry);
  // A command is taken on top of whatever is there: that others changed the row is still news to the rest.
  const isCommand = entry.operation === 'command';
  if (pinned !== undefined && (isPulled || isCommand)) {
    const isUnchanged = !isCommand && detailOf(entry).isEchoed !== true;
    const version = (isUnchanged ? answer.version : undefined) ?? pinned.version;
    await handOn(uow, entry, { version, value: madeBy(entry, pinned, rules) });
  }
  if (isCommand && pinned === undefined && hasNews(row, answer, expected, rules)) {
    await handOn(uow, entry, { version: row.version, value: expected });
    const moved = await rowOf(uow, entry);
    if (moved !== undefined) await markStale(uow, moved);
  }
  // The app sees the effect already, unless the server knows more or a transaction changed places.
  const isExpected =
    answer.value === undefined || (answer.value !== null && answer.value === expected);
  const isSeen = isExpected && !isPulled && row.head === entry.seq;
  const after = isSeen ? undefined : await rowOf(uow, entry);
  if (after !== undefined) await settleNews(uow, after, rules);
  return isNewer;
}

/** True if the server had something else when it took a command than this device: others have changed the row. */
function hasNews(
  { depth }: RowRecord,
  { value }: Complete,
  expected: string | null,
  rules: CollectionRules,
): boolean {
  if (depth < 2 || value === undefined || value === expected) return false;
  if (rules.applyCommand === undefined || value === null || expected === null) return false;
  if (!isReadable(value) || !isReadable(expected)) return false;
  return !isSame(decodeValue(value), decodeValue(expected));
}

function applied(
  row: RowRecord,
  entry: EntryRecord,
  answer: Complete,
  rules: CollectionRules,
): string | null {
  if (answer.value === null) return null;
  // What the app sees was worked out where its commands are known, and nothing else waits.
  if (rules.isUnknown === true && row.depth === 1) return row.value;
  return applyMutation(row.shadow, entry, rules);
}

/**
 * True if a pull brought a row from after this entry's effect: since the server accepted it on its own base,
 * a change made on top of it. A pull does not bring it again, so the answer, which is older, must not hide
 * it. The same goes for an entry that came back with an unknown fate: it may have taken effect before what
 * the row shows, and if it did only now, a pull brings it.
 */
async function isPullNewer(
  uow: UnitOfWork,
  entry: EntryRecord,
  row: RowRecord,
  rules: CollectionRules,
): Promise<boolean> {
  const { isRevived, pinned } = detailOf(entry);
  const { partition, collection } = entry;
  if (isRevived === true && (await isPulledByAny(uow, rules, partition, collection))) return true;
  if (pinned === undefined || pinned.isInherited === true) return false;
  // A row that a full fetch did not bring any more has no version, but it had one. Else the server has none.
  return row.version !== null || pinned.version !== null;
}
