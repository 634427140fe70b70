import { expect, test } from 'vitest';
import type { SchedulerCapabilities } from '../core/ports/platform-scheduler.ts';
import { testPlatformScheduler } from './scheduler-suite.ts';
import type { SchedulerHarness } from './scheduler-suite.ts';
import { simulateAndroid } from './simulate-android.ts';
import { simulateIos } from './simulate-ios.ts';

/** The titles of the laws that a device breaks if its scheduler claims something else than it does. */
async function brokenLaws(
  createDevice: () => ReturnType<typeof simulateAndroid> | ReturnType<typeof simulateIos>,
  claim: Partial<SchedulerCapabilities>,
): Promise<readonly string[]> {
  const laws: { readonly title: string; readonly body: () => Promise<void> }[] = [];
  const createHarness = async (): Promise<SchedulerHarness> => {
    const device = createDevice();
    const lying = (): SchedulerHarness['scheduler'] => ({
      ...device.scheduler,
      capabilities: { ...device.scheduler.capabilities, ...claim },
    });
    return {
      scheduler: lying(),
      patienceMs: 40 * 60_000,
      now: () => device.runtime.clock.now(),
      advance: (ms) => device.advance(ms),
      setMet: async () => {},
      setNetwork: async (network) => device.set({ network }),
      restart: async () => {
        device.app.kill();
        device.app.launch();
        device.app.background();
        return lying();
      },
      close: async () => {},
    };
  };
  testPlatformScheduler('a liar', createHarness, {
    describe: (_, body) => body(),
    test: (title, body) => void laws.push({ title, body }),
    expect,
  });
  const broken: string[] = [];
  for (const { title, body } of laws) {
    await body().catch(() => broken.push(title));
  }
  return broken;
}

const android = (): ReturnType<typeof simulateAndroid> => simulateAndroid();
const ios = (): ReturnType<typeof simulateIos> => simulateIos({ opportunities: 'always' });

test.each([
  ['one-offs only', android, { kinds: ['once'] }, 'the claim about periodic requests is true'],
  ['a shorter interval', android, { minIntervalMs: 60_000 }, 'below the claimed minimum'],
  ['a shorter window', android, { maxRunMs: 1_000 }, 'a wake-up tells when its window ends'],
  ['one worker', android, { idsShareOneWorker: true }, 'ids that share one worker'],
  ['ignored results', android, { resultHonoured: false }, 'results are honoured'],
  ['forgotten requests', android, { survivesKill: false }, 'requests survive the process'],
  ['expedited work', ios, { expedited: true }, 'expedited requests'],
  [
    'a storage constraint',
    ios,
    { constraints: ['requiresStorageNotLow'] },
    'requiresStorageNotLow',
  ],
  ['unmetered', ios, { constraints: ['networkType'], networkTypes: ['unmetered'] }, 'unmetered'],
] as const)('a scheduler that claims %s falsely fails the suite', async (_, device, claim, law) => {
  const broken = await brokenLaws(device, claim);

  expect(broken.filter((title) => title.includes(law))).not.toEqual([]);
});
