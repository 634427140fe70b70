import { LIST, OBJECT, requireKind } from '../model/arguments.ts';
import type { Runtime } from '../ports/runtime.ts';
import type { StoreBackend } from '../store/store-backend.ts';
import type {
  BackgroundSyncService,
  BackgroundSyncServiceOptions,
} from './background-sync-service.ts';
import { NoOpSyncService } from './no-op-sync-service.ts';
import { PROVIDER } from './provider-registry.ts';

/** What a provider's service is made of. */
export type ServiceParts = Pick<BackgroundSyncServiceOptions, 'id' | 'onPendingCount'> & {
  readonly backend?: StoreBackend;
};

/** A platform that the factory may choose. */
export interface BackgroundSyncProvider {
  readonly name: string;
  /** True on this platform. Must not throw, and not change anything. */
  detect(): boolean;
  create(runtime: Runtime, parts: ServiceParts): BackgroundSyncService;
}

/** Picks the service of the platform it runs on. */
export const BackgroundSyncServiceFactory = {
  /** The service of the first provider that detects its platform, else one that does nothing. */
  create(
    runtime: Runtime,
    providers: readonly BackgroundSyncProvider[] = [],
    parts: ServiceParts = {},
  ): BackgroundSyncService {
    requireKind('providers', providers, LIST);
    requireKind('parts', parts, OBJECT);
    for (const each of providers) requireKind('each of providers', each, PROVIDER);
    const provider = providers.find((candidate) => candidate.detect());
    return provider === undefined
      ? new NoOpSyncService(runtime, parts)
      : provider.create(runtime, parts);
  },
};
