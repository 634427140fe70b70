import { describe, expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import { RemoteError } from '../model/errors.ts';
import {
  BackgroundFixture,
  type BackgroundFixtureOptions,
} from '../../testing/background-fixture.ts';

const boot = (options: Partial<BackgroundFixtureOptions> = {}): BackgroundFixture =>
  new BackgroundFixture({ storage: memoryStorage(), ...options });

describe('the app in front', () => {
  test('catches up when it comes to the front, without a wake-up', async () => {
    const app = boot({ autoSync: true, facts: { isConnected: true } });
    app.remote.answerNext('refuse-connection');
    await app.init();
    await app.save('critical');
    await app.runtime.advance(500);

    app.device.set({ appState: 'foreground' });
    await app.runtime.advance(10);

    expect(app.remote.server.applied).toHaveLength(1);
  });

  test('catches up when the network returns', async () => {
    const app = boot({ autoSync: true, facts: { isConnected: false, appState: 'foreground' } });
    app.remote.answerWith(() => 'refuse-connection');
    const pull = app.remote.pull.bind(app.remote);
    app.remote.pull = async () => {
      throw new RemoteError('remote/offline', 'no network');
    };
    await app.init();
    await app.save('critical');
    await app.runtime.advance('10m'); // the gate waits for minutes by now
    app.remote.answerWith(undefined);
    app.remote.pull = pull;

    app.device.set({ isConnected: true });
    await app.runtime.advance('1s');

    expect(app.remote.server.applied).toHaveLength(1);
  });

  test('drains when it leaves the front, after asking for wake-ups', async () => {
    const app = boot({ facts: { appState: 'foreground' } });
    await app.init();
    await app.save('normal');

    app.device.set({ appState: 'background' });
    await app.runtime.advance('1s');

    expect(app.remote.server.applied).toHaveLength(1);
    expect(app.ids()).toEqual(['sync']);
  });

  test('leaves what waits alone when it leaves the front after cancelSync', async () => {
    const app = boot({ facts: { appState: 'foreground' } });
    await app.init();
    await app.save('normal');
    await app.service.cancelSync();

    app.device.set({ appState: 'background' });
    await app.runtime.advance('1s');

    expect(app.remote.attempts).toHaveLength(0);
  });

  test('does not spend the critical allowance on writes that it sends itself', async () => {
    const app = boot({ autoSync: true, facts: { appState: 'foreground', isConnected: true } });
    await app.init();

    for (let index = 0; index < 10; index++) {
      await app.save('critical');
      await app.runtime.advance('10s');
    }

    expect(app.scheduler.asked.map(({ id }) => id)).toEqual(['sync']);
  });
});
