import { isDeepStrictEqual } from 'node:util';
import { createBackend, NexusStore, PRIORITIES } from 'nexus-store';
import { httpRemote } from 'nexus-store/http';
import { memoryStorage } from 'nexus-store/memory';
import type { ArrivedReport } from './messages.ts';
import { COLLECTION, TOKEN } from './phone.ts';
import type { Report } from './reports.ts';
import type { Outcome, Story } from './story.ts';

export interface Check {
  readonly isOk: boolean;
  readonly text: string;
}

/** What the story claims, each with what was found. */
export async function checkAll(story: Story, outcome: Outcome): Promise<readonly Check[]> {
  const rows = await fetchRows(story.url);
  const times = new Map<string, number>();
  for (const { reportId } of outcome.arrivals) times.set(reportId, (times.get(reportId) ?? 0) + 1);
  const twice = [...times.values()].filter((count) => count > 1).length;
  const ids = [...story.input.keys()];
  const lost = ids.filter((id) => !rows.has(id) || !times.has(id)).length;
  const unknown = [...rows.keys(), ...times.keys()].filter((id) => !story.input.has(id)).length;
  const different = ids.filter(
    (id) => rows.has(id) && !isDeepStrictEqual(rows.get(id), story.input.get(id)),
  );
  const overtakings = outcome.drains.reduce((sum, { log }) => sum + log.overtakings, 0);
  const arrivalOf = new Map<string, ArrivedReport>(
    outcome.arrivals.map((arrival) => [arrival.reportId, arrival]),
  );
  const misarrivals = outcome.drains.reduce(
    (sum, { log, arrivalBefore }) => sum + log.misarrivals(arrivalOf, arrivalBefore),
    0,
  );
  return [
    {
      isOk: outcome.lostAtKill === 0,
      text: `every save acknowledged before the kill was there after it (${outcome.lostAtKill} lost)`,
    },
    { isOk: lost === 0, text: `every report is at the server (${lost} lost)` },
    { isOk: twice === 0, text: `none was applied twice (${twice} duplicates)` },
    { isOk: unknown === 0, text: `the server has nothing else (${unknown} unknown)` },
    {
      isOk: different.length === 0,
      text: `a second device fetched them, and their contents are those of the input (${different.length} differ)`,
    },
    {
      isOk: outcome.dead === 0 && outcome.remaining === 0,
      text: `nothing is left behind (${outcome.remaining} waiting, ${outcome.dead} dead letters)`,
    },
    {
      isOk: outcome.requestsCut > 0,
      text: `the drain was killed while sending (${outcome.requestsCut} requests cut off)`,
    },
    {
      isOk: overtakings === 0,
      text: `in each run, no report was sent while a more urgent one waited (${overtakings} were)`,
    },
    {
      isOk: misarrivals === 0,
      text: `in each run, they arrived by priority, but for requests under way together (${misarrivals} did not)`,
    },
  ];
}

/** What another device of the same team gets from the server. */
async function fetchRows(url: string): Promise<ReadonlyMap<string, Report>> {
  const remote = httpRemote({ url, headers: { authorization: `Bearer ${TOKEN}` }, events: false });
  const backend = createBackend({ storage: memoryStorage(), remote, autoSync: false });
  try {
    const reports = new NexusStore<Report>({ backend, collection: COLLECTION });
    await backend.sync();
    const rows = await reports.getAll({}, { policy: 'cache-only' });
    return new Map(rows.map((row) => [row.id, row]));
  } finally {
    await backend.close();
  }
}

const number = new Intl.NumberFormat('en-US');
const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

/** What happened, in figures. */
export function tableOfFacts(story: Story, outcome: Outcome, wallMs: number): readonly string[] {
  const arrivedAfter = (priority: string): readonly number[] =>
    outcome.arrivals
      .filter(({ reportId }) => story.priorityOf(reportId) === priority)
      .map(({ at }) => at - outcome.serverUpAt);
  const rows = PRIORITIES.map((priority) => {
    const times = arrivedAfter(priority);
    const span =
      times.length === 0
        ? ['-', '-']
        : [seconds(Math.max(0, Math.min(...times))), seconds(Math.max(...times))];
    return `  ${priority.padEnd(10)}${number.format(story.of[priority]).padStart(8)}${(span[0] ?? '').padStart(16)}${(span[1] ?? '').padStart(15)}`;
  });
  const perSecond = Math.round(story.input.size / (outcome.writingMs / 1_000));
  const sent = Math.round(story.input.size / (outcome.drainMs / 1_000));
  const [writer, drain] = outcome.killedAtMs;
  const facts: readonly (readonly [string, string])[] = [
    [
      'saved',
      `${number.format(perSecond)} reports a second, each durable before the next, start of the app included`,
    ],
    ['sent', `${number.format(sent)} reports a second over 40 ms of latency, waiting included`],
    ['killed', `while writing at ${seconds(writer)}, while sending at ${seconds(drain)}`],
    ['in vain', `${outcome.failedAttempts} attempts to reach the server while there was none`],
    [
      'unheard',
      `${outcome.unheard} reports applied whose answer was lost; sent again, applied once`,
    ],
    ['all of it', seconds(wallMs)],
  ];
  return [
    `  ${'priority'.padEnd(10)}${'reports'.padStart(8)}${'first arrival'.padStart(16)}${'last arrival'.padStart(15)}`,
    ...rows,
    '',
    ...facts.map(([name, value]) => `  ${name.padEnd(10)}  ${value}`),
  ];
}
