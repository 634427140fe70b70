import { describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage, type MemoryDatabase } from '../../storage/memory/index.ts';
import {
  BackgroundFixture,
  type BackgroundFixtureOptions,
} from '../../testing/background-fixture.ts';

type Wish = Partial<BackgroundFixtureOptions> & { readonly database?: MemoryDatabase };

/** One process of an app; the next takes its database. */
function boot({ database = memoryDatabase(), ...options }: Wish = {}) {
  const app = new BackgroundFixture({ storage: memoryStorage({ database }), ...options });
  return Object.assign(app, { database });
}

describe('refused requests', () => {
  const refuse = async () =>
    ({ ok: false, code: 'schedule/unavailable', message: 'background refresh is off' }) as const;

  test('are told, remembered, and asked again later', async () => {
    const app = boot();
    app.scheduler.answer = refuse;

    const outcome = await app.init();
    const explained = await app.service.explain();
    app.scheduler.answer = undefined;
    await app.runtime.advance('61s');

    expect(outcome).toMatchObject({
      ok: false,
      refused: [{ id: 'sync', code: 'schedule/unavailable' }],
    });
    expect(explained.pending).toBe(0);
    expect(app.ids()).toEqual(['sync']);
    expect(app.service.status).toBe('scheduled');
  });

  test('are asked again ever more rarely while the refusal lasts', async () => {
    const app = boot();
    app.scheduler.answer = refuse;
    await app.init();

    await app.runtime.advance('1d');

    expect(app.scheduler.asked.length).toBeGreaterThan(20);
    expect(app.scheduler.asked.length).toBeLessThan(35);
  });

  test('that only another build changes are not asked again by themselves', async () => {
    const app = boot();
    app.scheduler.answer = async () =>
      ({ ok: false, code: 'schedule/not-permitted', message: 'not in Info.plist' }) as const;
    await app.init();

    await app.runtime.advance('1d');

    expect(app.scheduler.asked).toHaveLength(1);
  });

  test('are asked again when the app comes to the front, and on the next start', async () => {
    const app = boot();
    app.scheduler.answer = async () =>
      ({ ok: false, code: 'schedule/not-permitted', message: 'not in Info.plist' }) as const;
    await app.init();

    app.device.set({ appState: 'foreground' });
    await app.runtime.advance('6s');
    const next = boot({ database: app.database, runtime: app.runtime });
    await next.init();

    expect(app.scheduler.asked).toHaveLength(2);
    expect(next.ids()).toEqual(['sync']);
  });

  test('a scheduler that throws or never answers has refused, and holds nobody up', async () => {
    const throwing = boot();
    throwing.scheduler.answer = () => {
      throw new Error('the bridge is gone');
    };
    const silent = boot();
    silent.scheduler.answer = () => new Promise(() => {});

    const thrown = await throwing.init();
    const pending = silent.service.initialize();
    await silent.runtime.advance('11s');

    expect(thrown.refused).toMatchObject([{ code: 'schedule/host' }]);
    expect((await pending).refused).toMatchObject([{ code: 'schedule/host' }]);
  });
});
