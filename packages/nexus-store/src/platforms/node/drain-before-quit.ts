import { objectWith, requireKind, requireOptions } from '../../core/model/arguments.ts';
import { DURATION, type Duration } from '../../core/model/duration.ts';
import type { NodeSyncService } from './node-sync-service.ts';

/** What is used of Electron's `app`. */
export interface AppLike {
  on(event: 'will-quit', listener: (event: QuitEvent) => void): unknown;
  removeListener(event: 'will-quit', listener: (event: QuitEvent) => void): unknown;
  quit(): void;
}

interface QuitEvent {
  preventDefault(): void;
}

/**
 * Electron ends without Node's `beforeExit`: this holds its end back once, until what waits was sent or
 * the grace is over. Returns how to take it back.
 */
export function drainBeforeQuit(
  app: AppLike,
  service: Pick<NodeSyncService, 'drain'>,
  options: { readonly grace?: Duration } = {},
): () => void {
  requireKind('app', app, objectWith("Electron's app", 'on', 'removeListener', 'quit'));
  requireKind('service', service, objectWith('a NodeSyncService', 'drain'));
  requireOptions('drainBeforeQuit', options, { grace: DURATION });
  let state: 'waiting' | 'draining' | 'drained' = 'waiting';
  const onWillQuit = (event: QuitEvent): void => {
    if (state === 'drained') return;
    event.preventDefault();
    if (state === 'draining') return;
    state = 'draining';
    const quit = (): void => {
      state = 'drained';
      app.quit();
    };
    service.drain(options).then(quit, quit);
  };
  app.on('will-quit', onWillQuit);
  return () => void app.removeListener('will-quit', onWillQuit);
}
