import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { createBackend, NexusStore } from 'nexus-store';
import { httpRemote } from 'nexus-store/http';
import { sqliteStorage } from 'nexus-store/sqlite';
import type { Report } from '../support/reports.ts';
import { loadPeer } from './install-peers.ts';

/** A library that stores documents here and remembers which of them a server does not have yet. */
export interface PeerStore {
  save(report: Report): Promise<unknown>;
  saveAll(reports: readonly Report[]): Promise<unknown>;
  /** Sends everything as the library's documentation says, up to a hundred at a time. */
  drain?(url: string): Promise<void>;
  close(): Promise<void>;
}

export interface Peer {
  readonly name: string;
  /** What it does less, or otherwise, than ours. */
  readonly note: string;
  open(folder: string): Promise<PeerStore>;
}

const inNew = (folder: string): string => mkdtempSync(join(folder, 'peer-'));

/** Durability relaxed: that is what the peers give. */
export const ours: Peer = {
  name: 'nexus-store',
  note: '',
  open: async (folder) => {
    let url = '';
    const backend = createBackend({
      storage: sqliteStorage({ path: join(inNew(folder), 'ours.db'), durability: 'relaxed' }),
      remote: httpRemote({
        url: 'http://127.0.0.1:1',
        pull: false,
        events: false,
        fetch: (path, init) => fetch(path.replace('http://127.0.0.1:1', url), init),
      }),
      autoSync: false,
    });
    await backend.open();
    const store = new NexusStore<Report>({ backend, collection: 'reports' });
    return {
      save: (report) => store.save(report),
      saveAll: (reports) => store.saveAll(reports),
      drain: async (to) => {
        url = to;
        const report = await backend.sync();
        if (report.remaining > 0) throw new Error(`not drained: ${JSON.stringify(report)}`);
      },
      close: () => backend.close(),
    };
  },
};

interface PouchDatabase {
  put(document: object): Promise<unknown>;
  bulkDocs(documents: readonly object[]): Promise<unknown>;
  close(): Promise<void>;
}

const pouchDb: Peer = {
  name: 'PouchDB',
  note: 'LevelDB, no fsync; writes no queue entry',
  open: async (folder) => {
    const PouchDB = loadPeer<new (path: string) => PouchDatabase>('pouchdb');
    const database = new PouchDB(join(inNew(folder), 'pouch'));
    const document = ({ id, ...rest }: Report): object => ({ _id: id, ...rest });
    return {
      save: (report) => database.put(document(report)),
      saveAll: (reports) => database.bulkDocs(reports.map(document)),
      close: () => database.close(),
    };
  },
};

interface CrudBatch {
  readonly crud: readonly { readonly id: string; readonly opData: unknown }[];
  complete(): Promise<void>;
}

interface PowerSync {
  readonly PowerSyncDatabase: new (options: object) => {
    init(): Promise<void>;
    execute(sql: string, parameters: readonly unknown[]): Promise<unknown>;
    executeBatch(sql: string, parameters: readonly (readonly unknown[])[]): Promise<unknown>;
    getCrudBatch(limit: number): Promise<CrudBatch | null>;
    close(): Promise<void>;
  };
  readonly Schema: new (tables: object) => object;
  readonly Table: new (columns: object) => object;
  readonly column: { readonly text: object };
}

const powerSync: Peer = {
  name: 'PowerSync',
  note: 'SQLite in a worker thread, synchronous=NORMAL; no priorities',
  open: async (folder) => {
    const { PowerSyncDatabase, Schema, Table, column } = loadPeer<PowerSync>('@powersync/node');
    const schema = new Schema({ reports: new Table({ json: column.text }) });
    const database = new PowerSyncDatabase({
      schema,
      database: { dbFilename: 'powersync.db', dbLocation: inNew(folder) },
    });
    await database.init();
    const insert = 'INSERT INTO reports (id, json) VALUES (?, ?)';
    return {
      save: (report) => database.execute(insert, [report.id, JSON.stringify(report)]),
      saveAll: (reports) =>
        database.executeBatch(
          insert,
          reports.map((report) => [report.id, JSON.stringify(report)]),
        ),
      drain: async (url) => {
        for (;;) {
          const batch = await database.getCrudBatch(100);
          if (batch === null) return;
          await post(
            url,
            batch.crud.map(({ id, opData }) => ({ id, entityId: id, payload: opData })),
          );
          await batch.complete();
        }
      },
      close: () => database.close(),
    };
  },
};

interface RxCollection {
  insert(document: object): Promise<unknown>;
  bulkInsert(documents: readonly object[]): Promise<unknown>;
}

interface RxDb {
  readonly createRxDatabase: (options: object) => Promise<{
    addCollections(collections: object): Promise<{ readonly reports: RxCollection }>;
    close(): Promise<unknown>;
  }>;
}

interface RxReplication {
  readonly replicateRxCollection: (options: object) => {
    awaitInitialReplication(): Promise<void>;
    cancel(): Promise<unknown>;
  };
}

let rxDatabases = 0;

const rxDb: Peer = {
  name: 'RxDB',
  note: 'memory only: its free SQLite storage is a trial; writes no queue entry',
  open: async () => {
    const { createRxDatabase } = loadPeer<RxDb>('rxdb');
    const { getRxStorageMemory } = loadPeer<{ readonly getRxStorageMemory: () => object }>(
      'rxdb/plugins/storage-memory',
    );
    const { replicateRxCollection } = loadPeer<RxReplication>('rxdb/plugins/replication');
    rxDatabases += 1;
    const database = await createRxDatabase({
      name: `reports${rxDatabases}`,
      storage: getRxStorageMemory(),
    });
    const schema = {
      version: 0,
      primaryKey: 'id',
      type: 'object',
      properties: { id: { type: 'string', maxLength: 100 } },
      additionalProperties: true,
    };
    const { reports: collection } = await database.addCollections({ reports: { schema } });
    return {
      save: (report) => collection.insert(report),
      saveAll: (reports) => collection.bulkInsert(reports),
      drain: async (url) => {
        const replication = replicateRxCollection({
          replicationIdentifier: 'bench',
          collection,
          live: false,
          push: {
            batchSize: 100,
            handler: async (rows: readonly { readonly newDocumentState: Report }[]) => {
              await post(
                url,
                rows.map(({ newDocumentState: report }) => ({
                  id: report.id,
                  entityId: report.id,
                  payload: report,
                })),
              );
              return [];
            },
          },
        });
        await replication.awaitInitialReplication();
        await replication.cancel();
      },
      close: async () => {
        await database.close();
      },
    };
  },
};

/** The server of the other cases: one request, one answer with a result for each operation. */
async function post(url: string, operations: readonly object[]): Promise<void> {
  const response = await fetch(`${url}/v1/push`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ operations }),
  });
  await response.json();
}

export const PEERS: readonly Peer[] = [pouchDb, powerSync, rxDb];
