import { readFileSync } from 'node:fs';
import type { Receiver } from '@nexus-store/server';
import { PROTOCOL_CONTENT_TYPE, PROTOCOL_VERSION } from 'nexus-store/http';

/**
 * A few of the reports of bird strikes that the American aviation authority collects (in the public domain),
 * for development: `npm start` has all of them.
 */
export async function addSampleReports(receiver: Receiver, code = ''): Promise<void> {
  const file = new URL('sample-reports.json', import.meta.url);
  const reports = JSON.parse(readFileSync(file, 'utf8')) as readonly { readonly id: string }[];
  const operations = reports.map((report) => ({
    id: report.id,
    // The same in a database that has them: then nothing happens.
    idempotencyKey: `sample-${report.id}`,
    collection: 'reports',
    entityId: report.id,
    operation: 'create',
    payload: report,
    schemaVersion: 1,
  }));
  const answer = await receiver(
    new Request('http://field-notes/sync/v1/push', {
      method: 'POST',
      headers: { authorization: `Bearer ${code}`, 'content-type': PROTOCOL_CONTENT_TYPE },
      body: JSON.stringify({ protocol: PROTOCOL_VERSION, operations }),
    }),
  );
  if (!answer.ok) throw new Error(`the sample reports were not taken: ${answer.status}`);
}
