import { shown } from '../model/arguments.ts';
import { durationMs, type Duration } from '../model/duration.ts';
import type { EntityId, EntryRef } from '../model/entry.ts';
import { StoreError, UsageError } from '../model/errors.ts';
import { priorityOfRank, type PriorityRank } from '../model/priority.ts';
import { decodeValue } from '../model/value-codec.ts';
import { isWellFormed } from '../model/well-formed.ts';
import type { CollectionRules } from '../queue/collection-rules.ts';
import { enqueueAt, type Enqueued, type QueueLimits } from '../queue/enqueue.ts';
import { entryIdOf, seqOfEntryId } from '../queue/entry-view.ts';
import { applyChange, mergePatch } from '../queue/fold.ts';
import { soundLane } from '../queue/lanes.ts';
import type { EntryDetail, RowRecord } from '../queue/records.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import type { WritePolicy } from './collection-config.ts';

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
  readonly policy: WritePolicy;
  /** Of a patch that can change the id in ways that only the whole value shows. */
  readonly idOf?: (value: unknown) => unknown;
}

/** What a mutation needs of the moment and of the backend. */
export interface MutationSetting {
  readonly partition: number;
  readonly now: number;
  readonly limits: QueueLimits;
  /** Names the transaction. */
  readonly group: string | undefined;
  readonly newKey: () => string;
  /** Somebody listens to events. */
  readonly isHeard: boolean;
}

type Operation = 'create' | 'update' | 'delete' | 'command';

/** Applies one mutation in the transaction of the caller; without a promise where none is needed. */
export function applyMutationTo(
  uow: UnitOfWork,
  mutation: Mutation,
  setting: MutationSetting,
): Enqueued | Promise<Enqueued> {
  const { collection, id } = mutation;
  // Before anything is looked at: what is being erased does not hang together any more.
  uow.requireOpen(setting.partition);
  const atHand = uow.rowAtHand(setting.partition, collection, id);
  if (atHand === false) {
    return uow
      .row(setting.partition, collection, id)
      .then((row) => enqueueIn(uow, row, mutation, setting));
  }
  return enqueueIn(uow, atHand, mutation, setting);
}

function enqueueIn(
  uow: UnitOfWork,
  row: RowRecord | undefined,
  mutation: Mutation,
  setting: MutationSetting,
): Enqueued | Promise<Enqueued> {
  if (row === undefined || row.depth === 0) return enqueue(uow, row, mutation, setting);
  return soundLane(uow, row).then((sound) =>
    sound.depth === 0
      ? enqueue(uow, serversOnly(uow, sound), carryingLost(sound, mutation), setting)
      : enqueue(uow, sound, mutation, setting),
  );
}

/** The row without what was to be sent and is lost. */
function serversOnly(uow: UnitOfWork, row: RowRecord): RowRecord | undefined {
  const { shadow } = row;
  if (shadow === null) {
    uow.deleteRow(row);
    return undefined;
  }
  return { ...row, value: shadow, shadow: null };
}

/** The entries that are lost had made what the app sees: the next change carries it, whole. */
function carryingLost(row: RowRecord, mutation: Mutation): Mutation {
  if (mutation.kind !== 'patch' || row.value === null) return mutation;
  requireSameId(row.value, mutation);
  const { idOf: _, ...rest } = mutation;
  return { ...rest, kind: 'save', payload: mergePatch(row.value, mutation.payload) };
}

function enqueue(
  uow: UnitOfWork,
  row: RowRecord | undefined,
  mutation: Mutation,
  setting: MutationSetting,
): Enqueued | Promise<Enqueued> {
  const { collection, id, kind, rank, ttl, after } = mutation;
  if (kind === 'patch' && (row === undefined || row.value === null)) {
    throw new StoreError('store/not-found', `there is no ${collection} ${String(id)} to patch`);
  }
  if (row !== undefined && mutation.idOf !== undefined) requireSameId(row.value, mutation);
  const operation = operationFor(kind, row);
  const detail = detailFor(mutation, operation, setting.group);
  const result = enqueueAt(
    uow,
    row,
    {
      partition: setting.partition,
      collection,
      entity: id,
      operation,
      payload: payloadFor(operation, row, mutation),
      priority: rank,
      idempotencyKey: setting.newKey(),
      enqueuedAt: setting.now,
      expiresAt: ttl === null ? null : setting.now + ttl,
      after: after.length === 0 ? undefined : after,
      detail,
    },
    mutation.rules,
    setting.limits,
  );
  if (!setting.isHeard) return result;
  if (result instanceof Promise)
    return result.then((enqueued) => announce(uow, mutation, operation, enqueued));
  return announce(uow, mutation, operation, result);
}

/** What a write is for the server, by the row that it is made on. */
export function operationFor(kind: Mutation['kind'], row: RowRecord | undefined): Operation {
  if (kind !== 'save' && kind !== 'patch') return kind;
  if (row === undefined || row.value === null) return 'create';
  // Kept here only so far (`local-only`): the server does not know it.
  const isOnlyHere = row.depth === 0 && row.version === null && row.fetchedAt === null;
  return isOnlyHere ? 'create' : 'update';
}

/** A patch of what only this device has goes out as the whole value. */
export function payloadFor(
  operation: Operation,
  row: RowRecord | undefined,
  { kind, payload }: Mutation,
): string | null {
  return operation === 'create' && kind === 'patch'
    ? mergePatch(row?.value ?? null, payload)
    : payload;
}

function announce(
  uow: UnitOfWork,
  { collection, id, rank }: Mutation,
  operation: Operation,
  enqueued: Enqueued,
): Enqueued {
  const { seq, effect } = enqueued;
  if (seq !== null && (effect === 'appended' || effect === 'merged')) {
    uow.notify({
      type: 'entry-enqueued',
      entryId: entryIdOf(seq),
      collection,
      entityId: id,
      operation,
      priority: priorityOfRank(rank),
      effect,
    });
  }
  return enqueued;
}

function detailFor(
  mutation: Mutation,
  operation: Operation,
  group: string | undefined,
): EntryDetail | undefined {
  const isPatch = mutation.kind === 'patch' && operation === 'update';
  const { command, schemaVersion } = mutation;
  if (!isPatch && command === null && schemaVersion === 1 && group === undefined) return undefined;
  return {
    ...(isPatch ? { isPatch: true } : {}),
    ...(command === null ? {} : { command }),
    ...(schemaVersion === 1 ? {} : { schemaVersion }),
    ...(group === undefined ? {} : { group }),
  };
}

/** The value of an entity as it will be for those who do not wait for the queue. */
export function afterMutation(text: string | null, mutation: Mutation): string | null {
  const { kind, payload, rules } = mutation;
  const operation = kind === 'save' || kind === 'patch' ? 'update' : kind;
  const detail = {
    ...(kind === 'patch' ? { isPatch: true } : {}),
    ...(mutation.command === null ? {} : { command: mutation.command }),
  };
  return applyChange(text, operation, payload, detail, rules);
}

/**
 * A patch may change anything but whose fields they are.
 *
 * @param text the value that it is laid over
 * @throws UsageError `usage/invalid-argument`
 */
export function requireSameId(text: string | null, mutation: Mutation): void {
  const { idOf, collection, id, kind, payload } = mutation;
  if (kind !== 'patch' || idOf === undefined || text === null) return;
  if (idOf(decodeValue(mergePatch(text, payload))) !== id) throw otherId(collection, id);
}

export function otherId(collection: string, id: EntityId): UsageError {
  return new UsageError(
    'usage/invalid-argument',
    `patch in ${collection}: the fields would give ${shown(id)} another id`,
  );
}

/** @throws UsageError `usage/missing-id` */
export function requireId(id: unknown, where: string): EntityId {
  if (typeof id === 'string' && id !== '' && id.length <= MAX_ID_LENGTH && isWellFormed(id))
    return id;
  // -0 and 0 are one id: databases do not tell them apart.
  if (typeof id === 'number' && Number.isFinite(id)) return id === 0 ? 0 : id;
  throw new UsageError(
    'usage/missing-id',
    `${where} needs an id: a text of 1 to ${MAX_ID_LENGTH} characters or a finite number, not ${shown(id)}`,
  );
}

/** What the wire protocol takes. */
const MAX_ID_LENGTH = 255;

export function requireTtl(ttl: Duration | undefined): number | null {
  return ttl === undefined ? null : durationMs(ttl, 'ttl');
}

const NOTHING: readonly number[] = Object.freeze([]);

/** @throws UsageError `usage/invalid-argument` */
export function requireAfter(after: readonly EntryRef[] | undefined): readonly number[] {
  if (after === undefined) return NOTHING;
  if (!Array.isArray(after)) {
    throw new UsageError(
      'usage/invalid-argument',
      `after must be a list of entries, such as [parent.entry], not ${shown(after)}`,
    );
  }
  return after.map((entry: unknown) => {
    const id = (entry as EntryRef | null | undefined)?.id;
    const seq = typeof id === 'string' ? seqOfEntryId(id) : null;
    if (seq === null)
      throw new UsageError(
        'usage/invalid-argument',
        `after names ${shown(id ?? entry)}, which is not an entry`,
      );
    return seq;
  });
}
