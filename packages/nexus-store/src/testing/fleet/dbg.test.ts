import { test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import { rural } from '../device/day-profiles.ts';
import { simulateDevice } from './simulate-device.ts';
import { StoreBackend } from '../../core/store/store-backend.ts';
import { AppEdges } from '../../core/background/app-edges.ts';
import { WakeUpRequests } from '../../core/background/wake-up-requests.ts';
test('dbg', async () => {
  const database = memoryDatabase();
  const a = 1767950122755 - 600e3, b = 1767960073766 + 60e3; const t = (x: number) => ((x - a) / 1000).toFixed(3);
  const wrap = (proto: any, name: string, now: (self: any) => number) => {
    const orig = proto[name];
    proto[name] = async function (this: any, ...args: any[]) {
      const at = now(this); const log = at >= a && at <= b;
      if (log) console.log(t(at), name, 'begin');
      const r = await orig.apply(this, args);
      if (log) console.log(t(now(this)), name, 'end', name === 'read' ? r?.appState : '');
      return r;
    };
  };
  let rt: any;
  wrap(StoreBackend.prototype, 'queueFacts', (s) => { rt = s.runtime; return s.runtime.clock.now(); });
  wrap(StoreBackend.prototype, 'sync', (s) => s.runtime.clock.now());
  wrap(AppEdges.prototype, 'read', () => rt?.clock.now() ?? 0);
  wrap(AppEdges.prototype, 'start', () => rt?.clock.now() ?? 0);
  wrap(WakeUpRequests.prototype, 'ask', () => rt?.clock.now() ?? 0);
  await simulateDevice({ platform: 'ios', profile: rural, seed: 1, openStorage: () => memoryStorage({ database }), habit: { savesPerHour: 90, mix: [0.2, 0.2, 0.4, 0.2] } });
});
