import { durationMs, type Duration } from '../model/duration.ts';
import type { EntityId, EntryRef } from '../model/entry.ts';
import { StoreError, UsageError } from '../model/errors.ts';
import type { PriorityRank } from '../model/priority.ts';
import type { CollectionRules } from '../queue/collection-rules.ts';
import { enqueueMutation, type Enqueued, type QueueLimits } from '../queue/enqueue.ts';
import { seqOfEntryId } from '../queue/entry-view.ts';
import type { EntryDetail, RowRecord } from '../queue/records.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';

/** A write as the store understood it, before it meets the row. */
export interface Mutation {
  readonly collection: string;
  readonly id: EntityId;
  readonly kind: 'save' | 'patch' | 'delete' | 'command';
  /** Encoded; null for a delete. */
  readonly payload: string | null;
  readonly rank: PriorityRank;
  readonly ttl: number | null;
  readonly after: readonly number[];
  readonly command: string | null;
  readonly schemaVersion: number;
  readonly rules: CollectionRules;
}

/** What a mutation needs of the moment and of the backend. */
export interface MutationSetting {
  readonly partition: number;
  readonly now: number;
  readonly limits: QueueLimits;
  /** Names the transaction. */
  readonly group?: string;
  readonly newKey: () => string;
}

/** Applies one mutation in the transaction of the caller. */
export function applyMutationTo(
  uow: UnitOfWork,
  mutation: Mutation,
  setting: MutationSetting,
): Promise<Enqueued> {
  const { collection, id } = mutation;
  const atHand = uow.rowAtHand(setting.partition, collection, id);
  if (atHand === false) {
    return uow
      .row(setting.partition, collection, id)
      .then((row) => enqueue(uow, row, mutation, setting));
  }
  return enqueue(uow, atHand, mutation, setting);
}

function enqueue(
  uow: UnitOfWork,
  row: RowRecord | undefined,
  mutation: Mutation,
  setting: MutationSetting,
): Promise<Enqueued> {
  const { collection, id, kind, payload, rank, ttl, after } = mutation;
  const exists = row !== undefined && row.value !== null;
  if (kind === 'patch' && !exists) {
    throw new StoreError('store/not-found', `there is no ${collection} ${String(id)} to patch`);
  }
  const detail = detailFor(mutation, setting.group);
  return enqueueMutation(
    uow,
    {
      partition: setting.partition,
      collection,
      entity: id,
      operation:
        kind === 'save' ? (exists ? 'update' : 'create') : kind === 'patch' ? 'update' : kind,
      payload,
      priority: rank,
      idempotencyKey: setting.newKey(),
      enqueuedAt: setting.now,
      expiresAt: ttl === null ? null : setting.now + ttl,
      ...(after.length === 0 ? {} : { after }),
      ...(detail === undefined ? {} : { detail }),
    },
    mutation.rules,
    setting.limits,
  );
}

function detailFor(mutation: Mutation, group: string | undefined): EntryDetail | undefined {
  if (
    mutation.kind !== 'patch' &&
    mutation.command === null &&
    mutation.schemaVersion === 1 &&
    group === undefined
  ) {
    return undefined;
  }
  return {
    ...(mutation.kind === 'patch' ? { isPatch: true } : {}),
    ...(mutation.command === null ? {} : { command: mutation.command }),
    ...(mutation.schemaVersion === 1 ? {} : { schemaVersion: mutation.schemaVersion }),
    ...(group === undefined ? {} : { group }),
  };
}

/** @throws UsageError `usage/missing-id` */
export function requireId(id: unknown, where: string): EntityId {
  if (typeof id === 'string' && id !== '' && isWellFormed(id)) return id;
  // -0 and 0 are one id: databases do not tell them apart.
  if (typeof id === 'number' && Number.isFinite(id)) return id === 0 ? 0 : id;
  const given = typeof id === 'string' ? JSON.stringify(id) : String(id);
  throw new UsageError(
    'usage/missing-id',
    `${where} needs an id: a non-empty text or a finite number, not ${given}`,
  );
}

/** A lone half of a surrogate pair cannot be stored as UTF-8: two such ids would become one. */
function isWellFormed(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit < 0xd800 || unit > 0xdfff) continue;
    const next = text.charCodeAt(i + 1);
    if (unit > 0xdbff || !(next >= 0xdc00 && next <= 0xdfff)) return false;
    i += 1;
  }
  return true;
}

export function requireTtl(ttl: Duration | undefined): number | null {
  return ttl === undefined ? null : durationMs(ttl, 'ttl');
}

/** @throws UsageError `usage/invalid-argument` */
export function requireAfter(after: readonly EntryRef[] | undefined): readonly number[] {
  return (after ?? []).map(({ id }) => {
    const seq = seqOfEntryId(id);
    if (seq === null)
      throw new UsageError(
        'usage/invalid-argument',
        `after names ${JSON.stringify(id)}, which is not an entry`,
      );
    return seq;
  });
}
