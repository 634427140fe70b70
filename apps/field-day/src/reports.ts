import { createReadStream } from 'node:fs';
import { readRecords } from '@nexus-store/cli';
import type { SyncPriority } from 'nexus-store';

/** One of the reports of bird strikes that the American aviation authority collects. */
export interface Report {
  readonly id: string;
  readonly [field: string]: string;
}

/** The file as published, row by row. Ids come from the row's number, so that they never change. */
export async function loadReports(): Promise<readonly Report[]> {
  const reports: Report[] = [];
  const file = new URL('../data/birdstrikes.csv', import.meta.resolve('vega-datasets'));
  const chunks = createReadStream(file);
  for await (const records of readRecords(chunks, { format: 'csv' })) {
    for (const record of records) {
      if ('problem' in record) throw new Error(`line ${record.line}: ${record.problem}`);
      const number = String(reports.length + 1).padStart(5, '0');
      reports.push({ id: `report-${number}`, ...(record.value as Record<string, string>) });
    }
  }
  return reports;
}

/**
 * The damage decides. B and C are the military's classes of accidents that cost the most. Where nothing
 * broke, a large or medium animal or a bill still makes it news; the rest is for the statistics.
 */
export function priorityOf(report: Report): SyncPriority {
  const damage = report['Effect Amount of damage'] ?? '';
  if (['Substantial', 'B', 'C'].includes(damage)) return 'critical';
  if (damage === 'Medium' || damage === 'Minor') return 'high';
  const isNoticed = report['Wildlife Size'] !== 'Small' || Number(report['Cost Total $']) > 0;
  return isNoticed ? 'normal' : 'low';
}
