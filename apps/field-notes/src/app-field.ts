// The data of the app in a page, opened once: screens import it from here.
import { defineBackgroundSync } from 'nexus-store';
import { webBackgroundSync } from 'nexus-store/web';
import { openField } from './field.ts';

export const { backend, storage, notes, reports, remote } = openField();

export const background = defineBackgroundSync({
  open: () => backend,
  config: { minInterval: '15m', requiresNetwork: true, requiresBatteryNotLow: false },
  providers: [webBackgroundSync({ badge: true })],
});
