// The real packages fit the shapes by which this package knows them. Compiled, never run.
import * as OpSqlite from '@op-engineering/op-sqlite';
import AsyncStorage from '@react-native-async-storage/async-storage';
import * as BackgroundTask from 'expo-background-task';
import * as Battery from 'expo-battery';
import { requireOptionalNativeModule } from 'expo-modules-core';
import * as Network from 'expo-network';
import * as Notifications from 'expo-notifications';
import * as SQLite from 'expo-sqlite';
import * as TaskManager from 'expo-task-manager';
import { BackgroundSyncConfig, createBackend, defineBackgroundSync } from 'nexus-store';
import { memoryRemote } from 'nexus-store/testing';
import { sqliteStorage } from 'nexus-store/sqlite';
import BackgroundFetch from 'react-native-background-fetch';
import { backgroundFetch, type BackgroundFetchLike } from '../../src/adapters/background-fetch.ts';
import {
  expoBackgroundTask,
  type ExpoBackgroundTask,
  type ExpoTaskManager,
} from '../../src/adapters/expo-background-task.ts';
import { phoneBackgroundSync } from '../../src/index.ts';
import type { NativeSyncModule } from '../../src/native-module.ts';
import type { BatteryLike, NetworkLike } from '../../src/phone-device-state.ts';
import type { TaskManagerLike } from '../../src/phone.ts';
import { expoSqliteClient, type ExpoSqlite } from '../../src/sqlite/expo-sqlite-client.ts';
import {
  opSqliteClient,
  type OpSqlite as OpSqliteLike,
} from '../../src/sqlite/op-sqlite-client.ts';

export const shapes: readonly [
  BatteryLike,
  NetworkLike,
  ExpoBackgroundTask,
  ExpoTaskManager,
  TaskManagerLike,
  BackgroundFetchLike,
  ExpoSqlite,
  OpSqliteLike,
] = [Battery, Network, BackgroundTask, TaskManager, TaskManager, BackgroundFetch, SQLite, OpSqlite];

export const native: NativeSyncModule | null = requireOptionalNativeModule<NativeSyncModule>(
  'NexusStoreBackgroundSync',
);

export const backend = createBackend({
  storage: sqliteStorage({ path: 'field.db', client: expoSqliteClient(SQLite) }),
  remote: memoryRemote(),
});

export const other = sqliteStorage({ path: 'field.db', client: opSqliteClient(OpSqlite) });

export const own = defineBackgroundSync({
  open: () => backend,
  config: new BackgroundSyncConfig({ requiresCharging: true }),
  providers: phoneBackgroundSync({ battery: Battery, network: Network }),
  setBadge: async (count) => void (await Notifications.setBadgeCountAsync(count)),
});

export const overExpo = defineBackgroundSync({
  open: () => backend,
  providers: [
    expoBackgroundTask({
      backgroundTask: BackgroundTask,
      taskManager: TaskManager,
      battery: Battery,
    }),
  ],
});

export const overFetch = defineBackgroundSync({
  open: () => backend,
  providers: [
    backgroundFetch({ backgroundFetch: BackgroundFetch, platform: 'ios', memory: AsyncStorage }),
  ],
});
