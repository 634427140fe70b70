import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  notAbove,
  type BenchCase,
  type Figure,
  type Sample,
  type Subject,
} from '../harness/bench-case.ts';
import { aMillion, millionItems, millionRaw, millionSaves } from '../support/million.ts';

const run = promisify(execFile);
const script = fileURLToPath(new URL('../support/open-process.ts', import.meta.url));

export const COLD_OPEN_CASES: readonly BenchCase[] = [
  {
    name: 'open-million',
    group: 'opening',
    setUp: async (setting) => {
      const pending = aMillion(setting).toLocaleString('en-US');
      const paths: Readonly<Record<string, string>> = {
        items: await millionItems(setting),
        store: await millionSaves(setting),
        text: await millionRaw(setting, 'text'),
        integer: await millionRaw(setting, 'integer'),
      };
      return {
        subjects: Object.entries(paths).map(([kind, path]): Subject => ({
          name: kind,
          measure: () => open(kind, path),
        })),
        figures: [
          ...figures(`open + first claim of 100, ${pending} pending, PrioritySyncQueue`, 'items'),
          ...figures(`open + first request of 100 ready, ${pending} pending, store`, 'store'),
        ],
        rounds: 7,
        warmUps: 1,
      };
    },
  },
];

function figures(title: string, subject: string): Figure[] {
  return [
    {
      title: `${title} / raw, text id`,
      unit: 'ms',
      ours: [subject, 'ms'],
      reference: ['text', 'ms'],
      bar: notAbove(20),
    },
    {
      title: `${title}: memory added`,
      unit: 'MB',
      ours: [subject, 'addedMb'],
      reference: ['text', 'addedMb'],
      bar: notAbove(15),
    },
  ];
}

async function open(kind: string, path: string): Promise<Sample> {
  const args = ['--conditions=nexus-source', script, kind, path];
  const { stdout } = await run(process.execPath, args, { timeout: 60_000 });
  const { openMs, claimMs, addedMb } = JSON.parse(stdout) as Record<string, number>;
  return { ms: (openMs ?? Number.NaN) + (claimMs ?? Number.NaN), addedMb: addedMb ?? Number.NaN };
}
