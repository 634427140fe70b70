import type { StorageSchema } from '../ports/storage.ts';

/**
 * What is on disk: public, versioned, described in `docs/internals/queue.md`. A change here is a new
 * version and an upgrade step in every driver, never a silent edit.
 */
export const STORAGE_SCHEMA_VERSION = 1;

export const STORAGE_SCHEMA: StorageSchema = {
  version: STORAGE_SCHEMA_VERSION,
  tables: {
    /** Small facts by name: counters, partitions, gates, cursors. `value` is JSON. */
    meta: { columns: { name: 'text', value: 'text' }, key: ['name'], isSmall: true },
    /**
     * What the app sees. `value` is null for an entity deleted here and not yet on the server.
     * `shadow` and `version` are the server's, as last known. `head`, `tail` and `depth` say which
     * entries wait in this entity's lane; `lane` holds what only longer lanes need (JSON).
     */
    rows: {
      columns: {
        partition: 'integer',
        collection: 'text',
        id: 'any',
        value: 'text',
        shadow: 'text',
        version: 'text',
        head: 'integer',
        tail: 'integer',
        depth: 'integer',
        lane: 'text',
        fetchedAt: 'integer',
      },
      key: ['partition', 'collection', 'id'],
    },
    /** Values of declared fields, so that queries read a range instead of a collection. */
    fields: {
      columns: { partition: 'integer', collection: 'text', field: 'text', value: 'any', id: 'any' },
      key: ['partition', 'collection', 'field', 'value', 'id'],
    },
    /**
     * The queue. `position` says at once whether an entry may be sent and when its turn is: entries
     * that may be sent are a range of their own, in the order to send them (see `position.ts`).
     */
    entries: {
      columns: {
        position: 'integer',
        seq: 'integer',
        partition: 'integer',
        collection: 'text',
        entity: 'any',
        operation: 'text',
        /**
         * The empty text, which no value is encoded to: it is the value of the entry's row, which nothing
         * else waits for.
         */
        payload: 'text',
        priority: 'integer',
        attempts: 'integer',
        idempotencyKey: 'text',
        enqueuedAt: 'integer',
        /** 1 while the outcome of an attempt is unknown, else null. */
        ambiguous: 'integer',
        /** The lane it waits in behind another entry; null for heads. */
        behind: 'text',
        /** Epoch milliseconds until which it is backed off; null otherwise. */
        notBefore: 'integer',
        expiresAt: 'integer',
        /** `dead` or `conflict`; null while pending. */
        state: 'text',
        /** What few entries need, as JSON: dependencies, group, pinned base, last failure. */
        detail: 'text',
      },
      key: ['position'],
      indexes: {
        lane: ['behind', 'seq'],
        due: ['partition', 'notBefore', 'seq'],
        expiry: ['partition', 'expiresAt', 'seq'],
        parked: ['partition', 'state', 'seq'],
      },
    },
    /** `dependent` waits for `prerequisite`, beyond the order of lanes. Both are `seq`s. */
    dependencies: {
      columns: { prerequisite: 'integer', dependent: 'integer' },
      key: ['prerequisite', 'dependent'],
    },
    /** One record for each claim that is out: who sends which entries until when. */
    leases: {
      columns: {
        fence: 'integer',
        partition: 'integer',
        owner: 'text',
        until: 'integer',
        leaseMs: 'integer',
        positions: 'text',
      },
      key: ['fence'],
    },
    /** Entries that left the queue without being applied, for those who wait elsewhere to hear of them. */
    departures: {
      columns: { seq: 'integer', madeBefore: 'integer', outcome: 'text', to: 'integer' },
      key: ['seq'],
      indexes: { age: ['madeBefore'] },
    },
    /** What the last wake-ups did, newest last. */
    journal: { columns: { id: 'integer', record: 'text' }, key: ['id'] },
  },
};
