// Imports every entry of every published package, as an app does: `tsc -p tools/published-types` then reads
// their declarations. Needs the packages to be built. A test in `packages.test.ts` compares the list.
import type * as cli from '@nexus-store/cli';
import type * as reactNative from '@nexus-store/react-native';
import type * as backgroundFetch from '@nexus-store/react-native/background-fetch';
import type * as expoBackgroundTask from '@nexus-store/react-native/expo-background-task';
import type * as expoSqlite from '@nexus-store/react-native/expo-sqlite';
import type * as opSqlite from '@nexus-store/react-native/op-sqlite';
import type * as server from '@nexus-store/server';
import type * as store from 'nexus-store';
import type * as http from 'nexus-store/http';
import type * as indexeddb from 'nexus-store/indexeddb';
import type * as inspectable from 'nexus-store/inspectable';
import type * as inspector from 'nexus-store/inspector';
import type * as memory from 'nexus-store/memory';
import type * as node from 'nexus-store/node';
import type * as react from 'nexus-store/react';
import type * as reactInspector from 'nexus-store/react/inspector';
import type * as sqlite from 'nexus-store/sqlite';
import type * as testing from 'nexus-store/testing';
import type * as web from 'nexus-store/web';
import type * as worker from 'nexus-store/web/worker';

export type Entries = [
  typeof cli,
  typeof reactNative,
  typeof backgroundFetch,
  typeof expoBackgroundTask,
  typeof expoSqlite,
  typeof opSqlite,
  typeof server,
  typeof store,
  typeof http,
  typeof indexeddb,
  typeof inspectable,
  typeof inspector,
  typeof memory,
  typeof node,
  typeof react,
  typeof reactInspector,
  typeof sqlite,
  typeof testing,
  typeof web,
  typeof worker,
];
