import {
  BackgroundSyncService,
  type BackgroundSyncProvider,
  type PlatformScheduler,
} from 'nexus-store';
import { PhoneDeviceState, type PhoneSenses } from '../phone-device-state.ts';

/** The provider of an adapter: an app that passes it has chosen, so that there is nothing to detect. */
export function adapterProvider(
  name: string,
  scheduler: PlatformScheduler,
  senses: PhoneSenses,
): BackgroundSyncProvider {
  return {
    name,
    detect: () => true,
    create: (runtime, parts) =>
      new BackgroundSyncService(runtime, {
        ...parts,
        scheduler,
        deviceState: new PhoneDeviceState(null, senses),
      }),
  };
}
