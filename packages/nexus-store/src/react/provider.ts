import { createContext, createElement, useContext, type ReactElement, type ReactNode } from 'react';
import type { BackgroundSyncService } from '../core/background/background-sync-service.ts';
import type { BackgroundSync } from '../core/background/define-background-sync.ts';
import { requireKind } from '../core/model/arguments.ts';
import { UsageError } from '../core/model/errors.ts';
import type { StoreBackend } from '../core/store/store-backend.ts';
import { BACKEND } from '../core/ports/kinds.ts';
import { BACKGROUND, requireStore } from './hook-arguments.ts';

/** Background sync as the hooks need it: what `defineBackgroundSync` gives, or a service. */
export type BackgroundSyncSource = Pick<
  BackgroundSync | BackgroundSyncService,
  'isSupported' | 'statusStream' | 'scheduleSync' | 'cancelSync' | 'history' | 'explain'
>;

export interface NexusProviderProps {
  readonly backend: StoreBackend;
  /** For `useBackgroundSync`. */
  readonly background?: BackgroundSyncSource;
  readonly children?: ReactNode;
}

const BackendContext = createContext<StoreBackend | undefined>(undefined);
const BackgroundContext = createContext<BackgroundSyncSource | undefined>(undefined);

/**
 * Gives the hooks below it a backend, and the background sync if there is one. Opens and closes
 * nothing: make both at module scope, where a headless start finds them too.
 *
 * @throws UsageError `usage/invalid-argument` while rendering, for a backend or a background that is none
 */
export function NexusProvider({ backend, background, children }: NexusProviderProps): ReactElement {
  requireKind('NexusProvider: backend', backend, BACKEND);
  if (background !== undefined) requireKind('NexusProvider: background', background, BACKGROUND);
  return createElement(
    BackendContext.Provider,
    { value: backend },
    createElement(BackgroundContext.Provider, { value: background }, children),
  );
}

/**
 * The provider's backend, or that of the store given.
 *
 * @throws UsageError `usage/invalid-argument` where there is neither
 */
export function useBackend(store?: { readonly backend: StoreBackend }): StoreBackend {
  const provided = useContext(BackendContext);
  if (store !== undefined) requireStore('this hook', store);
  return required(store?.backend ?? provided, 'backend');
}

/** @throws UsageError `usage/invalid-argument` outside a provider that has one */
export function useProvidedBackground(): BackgroundSyncSource {
  return required(useContext(BackgroundContext), 'background');
}

/** What was given, else what the provider has. Only the backend must be there. */
export function useProvided(given: {
  readonly backend?: StoreBackend;
  readonly background?: BackgroundSyncSource;
}): Pick<NexusProviderProps, 'backend'> & { background: BackgroundSyncSource | undefined } {
  const background = useContext(BackgroundContext);
  const backend = useContext(BackendContext);
  return {
    backend: required(given.backend ?? backend, 'backend'),
    background: given.background ?? background,
  };
}

function required<V>(value: V | undefined, name: 'backend' | 'background'): V {
  if (value !== undefined) return value;
  throw new UsageError('usage/invalid-argument', `this hook needs <NexusProvider ${name}={...}>`);
}
