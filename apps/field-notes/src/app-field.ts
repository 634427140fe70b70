// The data of the app in a page, opened once: screens import it from here.
import { defineBackgroundSync } from 'nexus-store';
import { inspectable } from 'nexus-store/inspectable';
import { webBackgroundSync } from 'nexus-store/web';
import { openField } from './field.ts';

export const { backend, storage, notes, reports, remote } = openField({ wrap: inspectable });

export const background = defineBackgroundSync({
  open: () => backend,
  config: { minInterval: '15m', requiresNetwork: true, requiresBatteryNotLow: false },
  providers: [webBackgroundSync({ badge: true })],
});
