import { BackgroundSyncService, registerBackgroundSyncProvider } from 'nexus-store';
import { memoryDatabase, memoryStorage } from 'nexus-store/memory';
import { memoryRemote, simulateAndroid, simulateIos, type AppContext } from 'nexus-store/testing';
import { describe, expect, test } from 'vitest';
import { runApp, runEntryFile, type AppParts } from './background-sync.example.ts';

const devices = [
  ['Android', simulateAndroid],
  ['iOS', (options: object) => simulateIos({ ...options, opportunities: 'always' })],
] as const;

let here: AppContext | undefined;
registerBackgroundSyncProvider({
  name: 'simulated device',
  detect: () => here !== undefined,
  create: (runtime, parts) => {
    const { scheduler, state } = here as AppContext;
    return new BackgroundSyncService(runtime, { scheduler, deviceState: state, ...parts });
  },
});

describe.each(devices)('the example on %s', (_, simulate) => {
  test('runs: what is written offline arrives with the network, the critical write first', async () => {
    const database = memoryDatabase();
    const remote = memoryRemote();
    const lines: string[] = [];
    const device = simulate({
      conditions: { network: 'none' },
      start: async (app: AppContext) => {
        here = app;
        const { runtime } = app;
        const parts: AppParts = { storage: memoryStorage({ database }), remote, runtime };
        await runApp(parts, (line) => lines.push(line));
      },
    });
    remote.answerWith(() => (device.conditions.network === 'none' ? 'refuse-connection' : 'apply'));
    device.app.launch();
    await device.advance('10s');

    device.set({ network: 'unmetered' });
    await device.advance('10s');
    await BackgroundSyncService.instance.dispose();

    expect(remote.server.applied.map(({ entityId }) => entityId)).toEqual(['u2', 'u1']);
    expect(lines[0]).toBe('Background sync: scheduled');
  });

  test('drains the queue in a headless start, after the app was killed offline', async () => {
    const database = memoryDatabase();
    const remote = memoryRemote();
    const device = simulate({
      conditions: { network: 'none' },
      start: async (app: AppContext) => {
        const { runtime, scheduler, state } = app;
        const parts: AppParts = { storage: memoryStorage({ database }), remote, runtime };
        if (app.startedBy === 'user') {
          here = app;
          await runApp(parts, () => {});
          return;
        }
        runEntryFile(parts, [
          {
            name: 'simulated device',
            detect: () => true,
            create: (own, more) =>
              new BackgroundSyncService(own, { scheduler, deviceState: state, ...more }),
          },
        ]);
      },
    });
    remote.answerWith(() => (device.conditions.network === 'none' ? 'refuse-connection' : 'apply'));
    device.app.launch();
    await device.advance('10s');
    device.app.background();
    device.app.kill();

    device.set({ network: 'unmetered' });
    await device.advance('2h');

    expect(remote.server.applied).toHaveLength(2);
    expect(device.runs[0]).toMatchObject({ isCold: true, result: 'success' });
  });
});
