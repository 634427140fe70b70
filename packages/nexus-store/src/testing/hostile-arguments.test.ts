import { describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../storage/memory/index.ts';
import {
  EMPTY,
  faultsOf,
  FLAGS,
  FUNCTIONS,
  IDS,
  LENGTHS,
  OBJECTS,
  optionCases,
  UNDEFINED,
  type Hostile,
  type HostileCase,
} from './hostile-arguments.ts';
import {
  commuter,
  createSeededRandom,
  createVirtualRuntime,
  faultySqliteClient,
  faultyStorage,
  ManualDeviceState,
  manualScheduler,
  memoryRemote,
  MemoryServer,
  simulateAndroid,
  simulateDevice,
  simulateFleet,
  simulateIos,
  testPlatformScheduler,
  testQueue,
  testRemote,
  testStorage,
} from './index.ts';

const NUMBERS = ['zero', 'negative', 'fraction', 'huge'];
const FACT = ['undefined', 'null', 'true'];
const LIST = ['empty list', 'list of undefined', 'list of null', 'list of a number'];
/** Whatever has no key of its own says nothing; strange keys may be anybody's. */
const RECORDS = [
  'undefined',
  'empty object',
  'map',
  ...OBJECTS,
  'object that cannot become a text',
];

const runtime = createVirtualRuntime(1);
const database = memoryDatabase();
const deviceOf = (options: object): Promise<unknown> =>
  simulateDevice({
    platform: 'android',
    profile: commuter,
    duration: '1ms',
    openStorage: () => memoryStorage({ database }),
    ...options,
  });
const android = (): ReturnType<typeof simulateAndroid> => simulateAndroid();
const silent = { describe: () => {}, test: () => {}, expect: () => ({}) as Hostile };

const DEVICE = {
  seed: ['undefined', ...NUMBERS],
  startAt: ['undefined', ...NUMBERS],
  runtime: UNDEFINED,
  start: FUNCTIONS,
  conditions: EMPTY,
  profile: UNDEFINED,
};
const CONDITIONS = {
  network: UNDEFINED,
  isCharging: FLAGS,
  batteryLevel: ['undefined', 'zero', 'fraction'],
  isScreenOn: FLAGS,
  isBackgroundAllowed: FLAGS,
};

const CASES: Readonly<Record<string, HostileCase>> = {
  'createVirtualRuntime(x)': { call: (x) => createVirtualRuntime(x), accepts: NUMBERS },
  'createVirtualRuntime(seed, x)': { call: (x) => createVirtualRuntime(1, x), accepts: EMPTY },
  ...optionCases('createVirtualRuntime', (options) => createVirtualRuntime(1, options), {
    startAt: ['undefined', ...NUMBERS],
    driftPpm: ['undefined', ...NUMBERS],
    settleTurns: UNDEFINED,
    logger: UNDEFINED,
  }),
  'advance(x)': {
    call: (x) => createVirtualRuntime(1).advance(x),
    accepts: ['zero', 'fraction', 'huge'],
  },
  'advanceTo(x)': { call: (x) => createVirtualRuntime(1).advanceTo(x), accepts: NUMBERS },
  'jumpWallClock(x)': { call: (x) => createVirtualRuntime(1).jumpWallClock(x), accepts: NUMBERS },
  'createSeededRandom(x)': { call: (x) => createSeededRandom(x), accepts: NUMBERS },
  'createSeededRandom(seed, x)': {
    call: (x) => createSeededRandom(1, x),
    accepts: ['undefined', 'empty text', 'text', ...NUMBERS],
  },
  'memoryRemote(x)': { call: (x) => memoryRemote(x), accepts: EMPTY },
  ...optionCases('memoryRemote', memoryRemote, {
    server: UNDEFINED,
    maxBatch: UNDEFINED,
    pull: FLAGS,
    hints: FLAGS,
    latency: FUNCTIONS,
  }),
  'memoryRemote.answerNext(x)': {
    call: (x) => memoryRemote().answerNext(x),
    accepts: ['function'],
    names: 'answer',
  },
  'memoryRemote.answerWith(x)': { call: (x) => memoryRemote().answerWith(x), accepts: FUNCTIONS },
  // A command has a name and a function: an object that has one is a set of commands.
  'new MemoryServer(x)': {
    call: (x) => new MemoryServer(x),
    accepts: [...EMPTY, 'object that cannot become a text'],
  },
  'new MemoryServer({ command: x })': {
    call: (x) => new MemoryServer({ raise: x }),
    accepts: ['function'],
    names: 'raise',
  },
  'MemoryServer.set(x, id)': { call: (x) => new MemoryServer().set(x, 'a', 1), accepts: ['text'] },
  'MemoryServer.set(collection, x)': {
    call: (x) => new MemoryServer().set('notes', x, 1),
    accepts: IDS,
  },
  'manualScheduler(x)': { call: (x) => manualScheduler(x), names: 'runtime' },
  'manualScheduler(runtime, x)': { call: (x) => manualScheduler(runtime, x), accepts: RECORDS },
  'ManualScheduler.wake(x)': { call: (x) => manualScheduler(runtime).wake(x), accepts: ['text'] },
  'ManualScheduler.wake(id, x)': {
    call: (x) => manualScheduler(runtime).wake('sync', x),
    accepts: ['undefined', ...NUMBERS],
  },
  'new ManualDeviceState(x)': { call: (x) => new ManualDeviceState(x), accepts: EMPTY },
  'ManualDeviceState.set(x)': {
    call: (x) => new ManualDeviceState().set(x),
    accepts: EMPTY.filter((name) => name !== 'undefined'),
  },
  ...optionCases('ManualDeviceState', (facts) => new ManualDeviceState(facts), {
    isConnected: FACT,
    isCharging: FACT,
    standbyBucket: ['undefined', 'null'],
    appState: ['undefined', 'null'],
  }),
  'faultyStorage(x)': { call: (x) => faultyStorage(x), names: 'storage' },
  'faultyStorage.failWrite(x)': { call: (x) => faultyStorage(memoryStorage()).failWrite(x) },
  'faultySqliteClient(x)': { call: (x) => faultySqliteClient(x), names: 'client' },
  'simulateAndroid(x)': { call: (x) => simulateAndroid(x), accepts: EMPTY },
  ...optionCases('simulateAndroid', simulateAndroid, {
    ...DEVICE,
    version: UNDEFINED,
    isSwipeForceStop: FLAGS,
  }),
  'simulateIos(x)': { call: (x) => simulateIos(x), accepts: EMPTY },
  ...optionCases('simulateIos', simulateIos, {
    ...DEVICE,
    processingWindowMs: ['undefined', ...NUMBERS],
    opportunities: UNDEFINED,
    permittedIdentifiers: ['undefined', ...LIST],
    registeredIdentifiers: ['undefined', ...LIST],
    backgroundModes: ['undefined', ...LIST],
    isSimulator: FLAGS,
  }),
  'device.set(x)': {
    call: (x) => android().set(x),
    accepts: EMPTY.filter((name) => name !== 'undefined'),
  },
  ...optionCases('device.set', (change) => android().set(change), CONDITIONS),
  ...optionCases('conditions', (conditions) => simulateIos({ conditions }), CONDITIONS),
  'device.follow(x)': { call: (x) => android().follow(x), names: 'profile' },
  'device.advance(x)': { call: (x) => android().advance(x), accepts: ['zero', 'fraction', 'huge'] },
  'device.setStandbyBucket(x)': { call: (x) => android().setStandbyBucket(x) },
  'simulateDevice(x)': { call: (x) => simulateDevice(x) },
  ...optionCases('simulateDevice', deviceOf, {
    platform: [],
    profile: [],
    duration: ['undefined', 'fraction'],
    seed: ['undefined', ...NUMBERS],
    habit: UNDEFINED,
  }),
  'simulateDevice { openStorage: x }': {
    call: (x) => deviceOf({ openStorage: x }),
    accepts: ['function'],
  },
  'simulateFleet(x)': { call: (x) => simulateFleet(x), accepts: EMPTY },
  'simulateDevice { config: x }': { call: (config) => deviceOf({ config }), accepts: EMPTY },
  'simulateFleet { config: x }': {
    call: (config) => simulateFleet({ devices: 1, duration: '1m', config }),
    accepts: EMPTY,
  },
  ...optionCases(
    'simulateFleet',
    (options) => simulateFleet({ devices: 1, duration: '1m', ...options }),
    {
      devices: UNDEFINED,
      duration: ['undefined', 'fraction'],
      seed: ['undefined', ...NUMBERS],
      iosShare: ['undefined', 'zero'],
      profiles: UNDEFINED,
      habit: UNDEFINED,
      spread: LENGTHS,
      outage: UNDEFINED,
      onProgress: FUNCTIONS,
    },
  ),
  ...suiteCases('testStorage', testStorage),
  ...suiteCases('testQueue', testQueue),
  ...suiteCases('testRemote', testRemote),
  ...suiteCases('testPlatformScheduler', testPlatformScheduler),
};

function suiteCases(name: string, suite: Hostile): Record<string, HostileCase> {
  return {
    [`${name}(x, harness, functions)`]: {
      call: (x) => suite(x, async () => ({}), silent),
      accepts: ['text'],
      names: name,
    },
    [`${name}(name, x, functions)`]: {
      call: (x) => suite('a driver', x, silent),
      accepts: ['function'],
      names: name,
    },
    [`${name}(name, harness, x)`]: {
      call: (x) => suite('a driver', async () => ({}), x),
      names: name,
    },
  };
}

describe('a hostile argument', () => {
  test.each(Object.entries(CASES))(
    'of %s is refused by code, or harmless',
    async (_name, subject) => {
      expect(await faultsOf(subject)).toEqual([]);
    },
  );
});
