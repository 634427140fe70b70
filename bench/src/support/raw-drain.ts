import { randomUUID } from 'node:crypto';
import type { RawDatabase, RawEntry } from './raw-database.ts';

const CONTENT_TYPE = 'application/vnd.nexus-store.v1+json';

export interface RawDrainOptions {
  readonly url: string;
  readonly batch: number;
  readonly concurrency: number;
}

/**
 * The loop that an app would write by hand: claim a batch, send it, remove what the server took, with
 * several requests under way. The same bodies go over the same `fetch` as ours.
 */
export async function drainRaw(database: RawDatabase, options: RawDrainOptions): Promise<number> {
  let sent = 0;
  const worker = async (): Promise<void> => {
    for (;;) {
      const entries = database.claim(options.batch);
      if (entries.length === 0) return;
      const applied = await push(`${options.url}/v1/push`, entries);
      database.complete(applied, '1');
      sent += applied.length;
    }
  };
  await Promise.all(Array.from({ length: options.concurrency }, worker));
  return sent;
}

async function push(url: string, entries: readonly RawEntry[]): Promise<RawEntry[]> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': CONTENT_TYPE, accept: CONTENT_TYPE },
    body: `{"protocol":1,"operations":[${entries.map(operation).join(',')}]}`,
  });
  const { results } = (await response.json()) as { results: { id: string; status: string }[] };
  const isApplied = new Set(
    results.filter(({ status }) => status === 'applied').map(({ id }) => id),
  );
  return entries.filter(({ key }) => isApplied.has(String(key)));
}

function operation({ key, entity, payload }: RawEntry): string {
  return (
    `{"id":"${key}","idempotencyKey":"${randomUUID()}","collection":"reports"` +
    `,"entityId":${JSON.stringify(entity)},"operation":"create","schemaVersion":1,"payload":${payload}}`
  );
}
