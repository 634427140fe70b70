import { setTimeout as sleep } from 'node:timers/promises';
import { serve, type Arrival, type RunningServer } from '@nexus-store/server';
import { createBackend, NexusStore, PRIORITIES } from 'nexus-store';
import { httpRemote } from 'nexus-store/http';
import { memoryStorage } from 'nexus-store/memory';
import { entitiesOf, openDevice, type Device } from './device.ts';
import { differences, type Expectation } from './expectation.ts';
import type { LedgerLine } from './ledger.ts';
import { COLLECTIONS, keyOf, type Entities, type Value } from './operations.ts';
import { userOfToken } from './users.ts';

export interface DeviceFacts {
  readonly device: number;
  readonly database: string;
  readonly token: string;
  readonly expectation: Expectation;
}

export interface Proof {
  readonly problems: readonly string[];
  readonly acknowledged: number;
  readonly arrivedMeanwhile: number;
  readonly arrived: number;
}

const HEAL_MS = 30_000;

/** Lets everything heal, sends the rest, and compares the server with what was acknowledged. */
export async function prove(facts: {
  readonly devices: readonly DeviceFacts[];
  readonly serverDatabase: string;
  readonly ledger: readonly LedgerLine[];
}): Promise<Proof> {
  const server = await serve({
    database: facts.serverDatabase,
    port: 0,
    authenticate: userOfToken,
  });
  const problems: string[] = [];
  let [arrivedMeanwhile, arrived] = [0, 0];
  try {
    for (const device of facts.devices) {
      const user = userOfToken(device.token) as string;
      arrivedMeanwhile += (await server.receiver.arrivals(user)).length;
      const found = await proveDevice(device, server, facts.ledger);
      arrived += (await server.receiver.arrivals(user)).length;
      problems.push(...found.map((problem) => `device ${device.device}: ${problem}`));
    }
  } finally {
    await server.close();
  }
  return { problems, acknowledged: facts.ledger.length, arrivedMeanwhile, arrived };
}

async function proveDevice(
  { device, database, token, expectation }: DeviceFacts,
  server: RunningServer,
  ledger: readonly LedgerLine[],
): Promise<readonly string[]> {
  const opened = openDevice({ database, url: server.url, token });
  try {
    await opened.backend.open();
    const problems = [
      ...expectation.settle(await entitiesOf(opened)),
      ...(await wrongCounters(opened, 'before the end')),
    ];
    problems.push(...(await drain(opened)), ...(await wrongCounters(opened, 'at the end')));
    problems.push(
      ...differences(expectation.entities, await entitiesOf(opened)).map((text) => `here: ${text}`),
      ...differences(expectation.entities, await fetchAll(server.url, token)).map(
        (text) => `server: ${text}`,
      ),
    );
    const arrivals = await server.receiver.arrivals(userOfToken(token) as string);
    const mine = ledger.filter((line) => line.device === device);
    return [...problems, ...wrongArrivals(arrivals, mine, expectation)];
  } finally {
    await opened.backend.close();
  }
}

/** Waits for the leases of the dead, and sends everything. */
async function drain({ backend }: Device): Promise<string[]> {
  const endsAt = Date.now() + HEAL_MS;
  for (;;) {
    const report = await backend.sync();
    if (report.remaining === 0) return [];
    const { nextAttemptAt } = report;
    if (nextAttemptAt === null || Date.now() > endsAt) {
      return [`the queue does not become empty: ${JSON.stringify(report)}`];
    }
    await sleep(Math.max(5, nextAttemptAt - Date.now()));
  }
}

/** The counts that are kept against those that are counted. */
async function wrongCounters({ backend }: Device, when: string): Promise<string[]> {
  await backend.refresh();
  const status = backend.status.current;
  const entries = await backend.pendingChanges();
  const problems: string[] = [];
  for (const priority of PRIORITIES) {
    const count = entries.filter((entry) => entry.priority === priority).length;
    const kept = status.pending[priority];
    if (kept !== count)
      problems.push(`${when}, ${kept} ${priority} entries are said to wait, ${count} do`);
  }
  const dead = (await backend.deadLetters()).length;
  const conflicts = entries.filter(({ state }) => state === 'conflict').length;
  if (status.dead !== 0 || dead !== 0) {
    problems.push(`${when}, there are ${dead} dead letters, ${status.dead} are said to be`);
  }
  if (status.conflicts !== 0 || conflicts !== 0) {
    problems.push(`${when}, there are ${conflicts} conflicts, ${status.conflicts} are said to be`);
  }
  return problems;
}

/** What another device of the same user gets. */
async function fetchAll(url: string, token: string): Promise<Entities> {
  const remote = httpRemote({ url, headers: { authorization: `Bearer ${token}` }, events: false });
  const backend = createBackend({ storage: memoryStorage(), remote, autoSync: false });
  try {
    const stores = COLLECTIONS.map((collection) => new NexusStore<Value>({ backend, collection }));
    await backend.sync();
    const entities: Entities = new Map();
    for (const store of stores) {
      for (const value of await store.getAll({}, { policy: 'cache-only' })) {
        entities.set(keyOf(store.collection, value.id), value);
      }
    }
    return entities;
  } finally {
    await backend.close();
  }
}

/** Once each, in the order of each entity, and nothing that nobody asked for. */
function wrongArrivals(
  arrivals: readonly Arrival[],
  ledger: readonly LedgerLine[],
  expectation: Expectation,
): string[] {
  const problems: string[] = [];
  const entries = new Set<string>();
  const lastOf = new Map<string, number>();
  for (const { entryId, collection, entity } of arrivals) {
    const key = keyOf(collection, JSON.parse(entity) as string);
    if (entries.has(entryId)) problems.push(`${entryId} of ${key} was applied twice`);
    entries.add(entryId);
    const seq = Number(entryId.slice(1));
    if (seq < (lastOf.get(key) ?? 0)) problems.push(`${entryId} of ${key} came out of order`);
    lastOf.set(key, seq);
  }
  const writes = [...ledger.map(({ write }) => write), ...expectation.silent];
  const wanted = new Map<string, number>();
  for (const { steps } of writes) {
    for (const step of steps) {
      // Notes are coalesced: several writes may be one entry.
      if (step.collection === 'notes') continue;
      const id = step.kind === 'save' ? step.value.id : step.id;
      const key = keyOf(step.collection, id);
      wanted.set(key, (wanted.get(key) ?? 0) + 1);
    }
  }
  const got = new Map<string, number>();
  for (const { collection, entity } of arrivals) {
    if (collection === 'notes') continue;
    const key = keyOf(collection, JSON.parse(entity) as string);
    got.set(key, (got.get(key) ?? 0) + 1);
  }
  for (const key of new Set([...wanted.keys(), ...got.keys()])) {
    const [want, have] = [wanted.get(key) ?? 0, got.get(key) ?? 0];
    if (want !== have) problems.push(`${key}: ${want} writes were saved, ${have} arrived`);
  }
  return problems.slice(0, 10);
}
