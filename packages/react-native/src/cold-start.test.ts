// A headless cold start as it is: the app's entry file bundled, evaluated in a JavaScript context of its own with
// no more than Hermes has, over a database file that the process before left behind.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInContext } from 'node:vm';
import {
  createVirtualRuntime,
  memoryRemote,
  MemoryServer,
  PlainAbortController,
} from 'nexus-store/testing';
import type { AppContext } from 'nexus-store/testing';
import { rolldown } from 'rolldown';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { fakeAndroid, fakeIos, type EntryContext } from './fake/fake-phone.ts';
import { hermesContext } from './fake/hermes-context.ts';
import { EXPO_ANDROID, expoSqliteLookAlike } from './fake/sqlite-look-alikes.ts';

interface Field {
  write(...ids: readonly string[]): Promise<unknown>;
  readonly background: { readonly ready: Promise<unknown> };
}

let bundle: string;
let folder: string;

beforeAll(async () => {
  const build = await rolldown({
    input: join(import.meta.dirname, 'fake/field-entry.ts'),
    external: /^expo-/,
    resolve: { conditionNames: ['nexus-source', 'import', 'default'] },
  });
  const { output } = await build.generate({ format: 'cjs' });
  bundle = output[0].code;
  await build.close();
});

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nexus-cold-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

/** What Hermes and React Native give a bundle, with the time of the device. */
function globalsOf(app: AppContext): Record<string, unknown> {
  const { clock, timers } = app.runtime;
  const timeouts = new Map<number, () => void>();
  let last = 0;
  return {
    setTimeout: (callback: () => void, delayMs = 0) => {
      last += 1;
      timeouts.set(last, timers.after(delayMs, callback));
      return last;
    },
    clearTimeout: (id: number) => timeouts.get(id)?.(),
    setImmediate,
    performance: { now: () => clock.elapsed() },
    AbortController: PlainAbortController,
    expo: { uuidv4: randomUUID },
  };
}

/** Evaluates the bundle in a context of its own. */
function evaluate({ app, native, tasks }: EntryContext, server: MemoryServer): Field {
  const remote = memoryRemote({ server });
  let isOffline = false;
  const look = (): void =>
    void app.state.read().then(({ isConnected }) => {
      isOffline = isConnected === false;
    });
  look();
  app.state.onChange(look);
  remote.answerWith(() => (isOffline ? 'refuse-connection' : 'apply'));
  const context = hermesContext(globalsOf(app));
  const modules: Readonly<Record<string, unknown>> = {
    'expo-modules-core': { requireOptionalNativeModule: () => native },
    'expo-task-manager': { defineTask: tasks.defineTask },
    'expo-sqlite': expoSqliteLookAlike(folder, EXPO_ANDROID),
  };
  Object.assign(context, {
    module: { exports: {} },
    exports: {},
    require: (name: string) => modules[name],
    fieldRemote: remote,
    deviceNow: () => app.runtime.clock.now(),
  });
  runInContext('Date.now = deviceNow;', context);
  runInContext(bundle, context);
  return (context as { exports: Field }).exports;
}

for (const [system, fake] of [
  ['Android', fakeAndroid],
  [
    'iOS',
    (entry: Parameters<typeof fakeIos>[0], options: Parameters<typeof fakeAndroid>[1]) =>
      fakeIos(entry, {
        ...(options?.runtime ? { runtime: options.runtime } : {}),
        opportunities: 'always',
      }),
  ],
] as const) {
  test(`on ${system} the bundled entry file drains the queue in a fresh context, and completes once`, async () => {
    const server = new MemoryServer();
    const runtime = createVirtualRuntime(1, { settleTurns: 500 });
    const fields: Field[] = [];
    const phone = fake((context) => void fields.push(evaluate(context, server)), { runtime });
    phone.device.set({ network: 'none' });
    phone.device.app.launch();
    await phone.device.advance('2s');
    const [first] = fields as [Field];
    await first.background.ready;
    const written = first.write('a', 'b', 'c');
    await phone.device.advance('3s');
    await written;
    phone.device.app.background();
    await phone.device.advance('2m');
    phone.device.app.kill();

    phone.device.set({ network: 'unmetered' });
    for (let minutes = 0; minutes < 24 * 60 && server.applied.length < 3; minutes++)
      await phone.device.advance('1m');
    await phone.device.advance('1m');

    expect(server.applied.map(({ entityId }) => String(entityId)).toSorted()).toEqual([
      'a',
      'b',
      'c',
    ]);
    expect(fields.length).toBeGreaterThan(1);
    expect(phone.device.runs[0]).toMatchObject({
      isCold: true,
      appState: 'headless',
      result: 'success',
    });
    expect(phone.memory.log.filter(({ endedAt }) => endedAt === null)).toEqual([]);
  });
}
