import type { BackgroundSyncProvider } from '../../core/background/background-sync-service-factory.ts';
import {
  NodeSyncService,
  requireNodeOptions,
  type NodeSyncServiceOptions,
} from './node-sync-service.ts';

/** What the app decides of its service; the rest comes from `defineBackgroundSync`. */
export type NodeBackgroundSyncOptions = Omit<
  NodeSyncServiceOptions,
  'backend' | 'id' | 'onPendingCount' | 'runtime'
>;

/**
 * The provider for `BackgroundSyncServiceFactory` and `defineBackgroundSync` in Node and in Electron's
 * main process. Importing `nexus-store/node` registers it without options; pass your own to have them:
 * `providers: [nodeBackgroundSync({ path: 'field.db' })]`.
 *
 * @throws UsageError `usage/invalid-argument`, naming the option
 */
export function nodeBackgroundSync(
  options: NodeBackgroundSyncOptions = {},
): BackgroundSyncProvider {
  requireNodeOptions(options);
  return {
    name: 'node',
    detect: isNode,
    create: (runtime, parts) => new NodeSyncService({ ...options, ...parts, runtime }),
  };
}

/** Electron's renderers may have Node too, but they come and go with their window. */
function isNode(): boolean {
  if (typeof process !== 'object' || process.versions?.node === undefined) return false;
  const { type } = process as { readonly type?: string };
  return type === undefined || type === 'browser';
}
