import {
  atLeast,
  notAbove,
  type Bar,
  type BenchCase,
  type Experiment,
  type Figure,
  type Sample,
  type Setting,
  type Subject,
} from '../harness/bench-case.ts';
import { openBrowserPage, type BrowserPage, type BrowserPageOptions } from './browser-page.ts';

const GROUP = 'browser';

/** A case in a browser of its own. */
function inBrowser(
  name: string,
  set: (page: BrowserPage, setting: Setting) => Omit<Experiment, 'close'>,
  options: BrowserPageOptions = {},
): BenchCase {
  return {
    name: `browser-${name}`,
    group: GROUP,
    needsBrowser: true,
    setUp: async (setting) => {
      const page = await openBrowserPage(options);
      return { ...set(page, setting), close: () => page.close() };
    },
  };
}

/** Everything about IndexedDB in a real Chromium. */
export const BROWSER_CASES: readonly BenchCase[] = [
  inBrowser('concurrent-saves', ({ ours, raw }, setting) => {
    const count = setting.size(5000, 100);
    const title = '5,000 concurrent saves';
    return {
      subjects: [
        subject('strict', () => ours.ourConcurrentSaves(count, 'strict')),
        subject('relaxed', () => ours.ourConcurrentSaves(count, 'relaxed')),
        subject('raw', () => raw.rawSaves(count, 1000, 'strict')),
      ],
      figures: [
        speeds(`${title}, strict / raw, 1,000 a transaction`, 'strict', 'raw', atLeast(0.8)),
        speeds(`${title}, strict / relaxed`, 'strict', 'relaxed'),
      ],
    };
  }),
  inBrowser('sequential-saves', ({ ours, raw }, setting) => {
    const count = setting.size(300, 20);
    const title = 'sequential awaited saves, strict';
    return {
      subjects: [
        subject('ours', () => ours.ourSequentialSaves(count, 'strict')),
        subject('raw', () => raw.rawSaves(count, 1, 'strict')),
        subject('raw with commit', () => raw.rawSaves(count, 1, 'strict', 'early commit')),
        subject('raw with all requests', () => raw.rawSavesWithAllRequests(count)),
      ],
      figures: [
        speeds(`${title} / raw, one transaction each`, 'ours', 'raw', atLeast(0.85)),
        speeds(`${title} / raw that calls commit()`, 'ours', 'raw with commit'),
        speeds(`${title} / raw with all requests of a save`, 'ours', 'raw with all requests'),
        speeds('raw with all requests of a save / raw', 'raw with all requests', 'raw'),
      ],
      rounds: 9,
    };
  }),
  inBrowser('enqueues', ({ ours, raw }, setting) => {
    const count = setting.size(5000, 100);
    return {
      subjects: [
        subject('ours', () => ours.ourEnqueues(count, 'strict')),
        subject('raw', () => raw.rawEnqueues(count, 'strict')),
      ],
      figures: [
        speeds(
          '5,000 concurrent enqueues, strict / raw entry only, 1,000 a transaction',
          'ours',
          'raw',
        ),
      ],
    };
  }),
  inBrowser('claims', ({ ours, raw }, setting) => {
    const [few, many] = [4000, setting.size(100_000, 4000)];
    const times = setting.size(15, 2);
    const what = 'claim + complete 100, PrioritySyncQueue';
    return {
      subjects: [
        subject('few', () => ours.ourClaims(few, times)),
        subject('many', () => ours.ourClaims(many, times)),
        subject('scattered', () => ours.ourScatteredClaims(many, times)),
        subject('raw', () => raw.rawClaims(many, times)),
        subject('raw scattered', () => raw.rawScatteredClaims(many, times)),
      ],
      figures: [
        durations(`${what}, a run of keys, 100,000 pending / raw`, 'many', 'raw', notAbove(7)),
        durations(
          `${what}, scattered keys, 100,000 pending / raw`,
          'scattered',
          'raw scattered',
          notAbove(20),
        ),
        durations(`${what}: 100,000 pending / 4,000`, 'many', 'few', {
          on: 'ratio',
          is: 'at most',
          value: 1.5,
        }),
      ],
      warmUps: 1,
    };
  }),
  inBrowser('cold-start', ({ ours, raw }, setting) => {
    const pending = setting.size(10_000, 200);
    return {
      subjects: [
        subject('ours', () => ours.ourColdStart(pending)),
        subject('raw', () => raw.rawColdStart(pending)),
      ],
      figures: [
        durations(
          'open to first request, 10,000 pending / raw open + read',
          'ours',
          'raw',
          notAbove(20),
        ),
      ],
      rounds: 9,
    };
  }),
  inBrowser(
    'drain-singles',
    ({ ours, raw, serverUrl }, setting) => {
      const count = setting.size(300, 12);
      return {
        subjects: [
          subject('ours', () => ours.ourDrain(serverUrl, count, 1, 6)),
          subject('raw', () => raw.rawDrain(serverUrl, count, 1, 6)),
        ],
        figures: [speeds('drain 300, 50 ms, 6 x 1 / raw loop 6 x 1', 'ours', 'raw', atLeast(0.95))],
        warmUps: 1,
      };
    },
    { roundTripMs: 50 },
  ),
  inBrowser(
    'drain-batches',
    ({ ours, raw, serverUrl }, setting) => {
      const count = setting.size(6000, 200);
      return {
        subjects: [
          subject('ours', () => ours.ourDrain(serverUrl, count, 100, 6)),
          subject('raw', () => raw.rawDrain(serverUrl, count, 100, 6)),
          subject('careful', () => raw.rawDrain(serverUrl, count, 100, 6, 'read first')),
        ],
        figures: [
          speeds('drain 6,000, 50 ms, 6 x 100 / raw loop 6 x 100', 'ours', 'raw', atLeast(0.9)),
          speeds('the same / raw loop that loses no edit made meanwhile', 'ours', 'careful'),
          speeds('raw loop that loses no edit / raw loop', 'careful', 'raw'),
        ],
        warmUps: 1,
      };
    },
    { roundTripMs: 50 },
  ),
];

function subject(
  name: string,
  measure: () => Promise<Sample | { ms: number } | { perSecond: number }>,
): Subject {
  return { name, measure: async () => ({ ...(await measure()) }) };
}

function speeds(title: string, ours: string, reference: string, bar?: Bar): Figure {
  return figure(title, 'saves/s', 'perSecond', ours, reference, bar);
}

function durations(title: string, ours: string, reference: string, bar?: Bar): Figure {
  return figure(title, 'ms', 'ms', ours, reference, bar);
}

function figure(
  title: string,
  unit: string,
  metric: string,
  ours: string,
  reference: string,
  bar: Bar | undefined,
): Figure {
  return {
    title: `Chromium: ${title}`,
    unit,
    ours: [ours, metric],
    reference: [reference, metric],
    ...(bar !== undefined && { bar }),
  };
}
