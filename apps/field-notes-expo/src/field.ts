// The store and its background sync: one file for the screens and for headless runs.
import { forceRun, phoneBackgroundSync } from '@nexus-store/react-native';
import { expoSqliteClient } from '@nexus-store/react-native/expo-sqlite';
import * as Battery from 'expo-battery';
import * as Network from 'expo-network';
import * as Notifications from 'expo-notifications';
import * as SQLite from 'expo-sqlite';
import {
  consoleLogger,
  createBackend,
  createStandardRuntime,
  defineBackgroundSync,
  NexusStore,
} from 'nexus-store';
import { httpRemote } from 'nexus-store/http';
import { sqliteStorage } from 'nexus-store/sqlite';

export interface Note {
  readonly id: string;
  readonly title: string;
  readonly text: string;
  /** Epoch milliseconds, by this phone's clock: for showing and sorting, never for deciding. */
  readonly changedAt: number;
}

const url = process.env.EXPO_PUBLIC_SYNC_URL ?? 'http://localhost:8787';
const token = process.env.EXPO_PUBLIC_SYNC_TOKEN ?? 'demo';

// What goes wrong where no screen shows it: on the console while you develop.
const runtime = createStandardRuntime(__DEV__ ? { logger: consoleLogger } : {});

export const backend = createBackend({
  runtime,
  storage: sqliteStorage({ path: 'field-notes.db', client: expoSqliteClient(SQLite) }),
  // A real app takes the token from its sign-in, and keeps it in the system's key store.
  remote: httpRemote({ url, headers: async () => ({ authorization: `Bearer ${token}` }) }),
});

export const notes = new NexusStore<Note>({
  backend,
  collection: 'notes',
  indexes: ['changedAt'],
});

export const background = defineBackgroundSync({
  runtime,
  open: () => backend,
  // As in app.json: iOS wakes the app for identifiers that stand in Info.plist only.
  id: 'com.example.fieldnotes.sync',
  config: { minInterval: '15m', requiresNetwork: true, requiresBatteryNotLow: true },
  providers: phoneBackgroundSync({ battery: Battery, network: Network }),
  setBadge: async (count) => void (await Notifications.setBadgeCountAsync(count)),
});

/** Asks the person, once, whether the app's icon may carry a number. */
export async function askForBadge(): Promise<boolean> {
  const { granted } = await Notifications.requestPermissionsAsync({ ios: { allowBadge: true } });
  return granted;
}

/** Has the system run the background sync now, as it would by itself. Development builds only. */
export const runNow = (): Promise<boolean> => forceRun(background);
