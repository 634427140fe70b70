import type { BackgroundSyncProvider } from './background-sync-service-factory.ts';

const providers: BackgroundSyncProvider[] = [];

/** Adds a platform to those the factory looks through. Platform packages do it when they are imported. */
export function registerBackgroundSyncProvider(provider: BackgroundSyncProvider): void {
  if (!providers.some(({ name }) => name === provider.name)) providers.push(provider);
}

export function registeredProviders(): readonly BackgroundSyncProvider[] {
  return providers;
}
