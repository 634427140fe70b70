import type { BackgroundSyncProvider } from 'nexus-store';
import { BGTaskSchedulerService } from './bg-task-scheduler-service.ts';
import type { PhoneSenses } from './phone-device-state.ts';
import type { Phone } from './phone.ts';
import { WorkManagerSyncService } from './work-manager-sync-service.ts';

/** One provider for each system, over this context's phone. */
export function phoneProviders(
  phone: Phone,
  senses: PhoneSenses = {},
): readonly [android: BackgroundSyncProvider, ios: BackgroundSyncProvider] {
  const isOn = (platform: 'android' | 'ios'): boolean => phone.native?.platform === platform;
  return [
    {
      name: 'android',
      detect: () => isOn('android'),
      create: (runtime, parts) =>
        new WorkManagerSyncService(runtime, phone, { ...senses, ...parts }),
    },
    {
      name: 'ios',
      detect: () => isOn('ios'),
      create: (runtime, parts) =>
        new BGTaskSchedulerService(runtime, phone, { ...senses, ...parts }),
    },
  ];
}
