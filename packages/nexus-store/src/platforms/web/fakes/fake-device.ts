import type { BatteryLike, ConnectionLike } from '../browser.ts';
import { FakeEvents } from './fake-events.ts';
import type { FakeOrigin } from './fake-origin.ts';

export class FakeBattery extends FakeEvents implements BatteryLike {
  charging = true;
  level = 1;

  set(state: { readonly charging?: boolean; readonly level?: number }): void {
    Object.assign(this, state);
    this.fire('levelchange');
  }
}

export class FakeConnection extends FakeEvents implements ConnectionLike {
  type = 'wifi';
  saveData = false;

  set(state: { readonly type?: string; readonly saveData?: boolean }): void {
    Object.assign(this, state);
    this.fire('change');
  }
}

/** Puts the device on a network, as far as a browser would tell. */
export function setNetwork(
  origin: FakeOrigin,
  connection: FakeConnection | undefined,
  network: 'none' | 'metered' | 'unmetered' | 'roaming',
): void {
  connection?.set({ type: network === 'unmetered' ? 'wifi' : 'cellular' });
  origin.isOnline = network !== 'none';
}
