import { objectWith, requireKind, type Kind } from '../model/arguments.ts';
import type { BackgroundSyncProvider } from './background-sync-service-factory.ts';

const providers: BackgroundSyncProvider[] = [];

export const PROVIDER: Kind = objectWith('a platform with detect and create', 'detect', 'create');

/** Adds a platform to those the factory looks through. Platform packages do it when they are imported. */
export function registerBackgroundSyncProvider(provider: BackgroundSyncProvider): void {
  requireKind('provider', provider, PROVIDER);
  if (!providers.some(({ name }) => name === provider.name)) providers.push(provider);
}

export function registeredProviders(): readonly BackgroundSyncProvider[] {
  return providers;
}
