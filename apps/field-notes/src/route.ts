// Addresses behind the `#`: the server knows one page only, which the service worker keeps.
import { useSyncExternalStore } from 'react';

export type Route =
  | { readonly screen: 'notes'; readonly id: string | null; readonly aboutReport: string | null }
  | { readonly screen: 'reports'; readonly id: string | null }
  | { readonly screen: 'conflict'; readonly entryId: string }
  | { readonly screen: 'sync' | 'account' };

/** The id in the address of a note that is not written yet. */
export const NEW = 'new';

export const paths = {
  notes: '#/notes',
  newNote: `#/notes/${NEW}`,
  noteAbout: (reportId: string): string => `#/notes/${NEW}?about=${encodeURIComponent(reportId)}`,
  note: (id: string): string => `#/notes/${encodeURIComponent(id)}`,
  reports: '#/reports',
  report: (id: string): string => `#/reports/${encodeURIComponent(id)}`,
  conflict: (entryId: string): string => `#/conflicts/${encodeURIComponent(entryId)}`,
  sync: '#/sync',
  account: '#/account',
} as const;

export function routeOf(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?');
  const [screen, rawId] = path.split('/');
  const id = rawId === undefined || rawId === '' ? null : decoded(rawId);
  if (screen === 'reports') return { screen, id };
  if (screen === 'sync' || screen === 'account') return { screen };
  if (screen === 'conflicts' && id !== null) return { screen: 'conflict', entryId: id };
  return { screen: 'notes', id, aboutReport: new URLSearchParams(query).get('about') };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // typed by hand
  }
}

function subscribe(listener: () => void): () => void {
  addEventListener('hashchange', listener);
  return () => removeEventListener('hashchange', listener);
}

let last: { readonly hash: string; readonly route: Route } | undefined;

/** The same object as long as the address is. */
function current(): Route {
  const { hash } = location;
  if (last?.hash !== hash) last = { hash, route: routeOf(hash) };
  return last.route;
}

export function useRoute(): Route {
  return useSyncExternalStore(subscribe, current);
}

export function go(path: string): void {
  location.hash = path;
}

/** Without a way back to where one was: that address means nothing any more. */
export function goInstead(path: string): void {
  location.replace(path);
}
