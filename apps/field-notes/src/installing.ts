// The service worker, its updates, and the browser's offer to install.
import { Observed } from './observed.ts';
import { TAKE_OVER } from './worker/shell.ts';

/** A newer version of the app is on the device and waits for this one to end; null: there is none. */
export const waitingWorker: Observed<ServiceWorker | null> = new Observed<ServiceWorker | null>(
  null,
);

/** Chromium's event; TypeScript's library does not know it. */
interface InstallPrompt extends Event {
  prompt(): Promise<{ readonly outcome: 'accepted' | 'dismissed' }>;
}

/** The browser's offer, to be made when people ask for it. */
export const installPrompt: Observed<InstallPrompt | null> = new Observed<InstallPrompt | null>(
  null,
);

export function followInstallation(): void {
  addEventListener('beforeinstallprompt', (event) => {
    event.preventDefault();
    installPrompt.set(event as InstallPrompt);
  });
  addEventListener('appinstalled', () => installPrompt.set(null));
  if (!('serviceWorker' in navigator)) return;
  // The first worker of all takes over without anybody noticing; a later one brings a new version.
  let hasWorker = navigator.serviceWorker.controller !== null;
  navigator.serviceWorker.addEventListener('controllerchange', () => {
    if (hasWorker) location.reload();
    hasWorker = true;
  });
  navigator.serviceWorker
    .register('/service-worker.js', { scope: '/', updateViaCache: 'none' })
    .then(followUpdates, (error: unknown) => console.warn('no service worker:', error));
}

function followUpdates(registration: ServiceWorkerRegistration): void {
  const look = (): void => {
    if (registration.active !== null) waitingWorker.set(registration.waiting);
  };
  look();
  registration.addEventListener('updatefound', () => {
    registration.installing?.addEventListener('statechange', look);
  });
  // An installed app is rarely loaded anew: it asks when people come back to it.
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') registration.update().catch(() => {});
  });
}

export function takeUpdate(): void {
  waitingWorker.current?.postMessage(TAKE_OVER);
}

/** A slow network is not waited for longer. Unit: milliseconds. */
const UPDATE_PATIENCE_MS = 5_000;

/** Starts the app anew, in the newest version that can be had: the one that is kept may be too old for the data. */
export async function reloadNewest(): Promise<void> {
  const patience = new Promise<void>((resolve) => setTimeout(resolve, UPDATE_PATIENCE_MS));
  await Promise.race([takeNewest(), patience]).catch((error: unknown) =>
    console.warn('no newer version:', error),
  );
  location.reload();
}

async function takeNewest(): Promise<void> {
  const registration = await navigator.serviceWorker?.getRegistration();
  if (registration === undefined) return;
  // Offline: then what is here has to do.
  await registration.update().catch(() => {});
  const { installing } = registration;
  if (installing !== null) await reaches(installing, 'installed');
  const next = registration.waiting;
  if (next === null) return;
  next.postMessage(TAKE_OVER);
  await reaches(next, 'activated');
}

function reaches(worker: ServiceWorker, state: ServiceWorkerState): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (worker.state === state || worker.state === 'redundant') resolve();
    };
    worker.addEventListener('statechange', look);
    look();
  });
}
