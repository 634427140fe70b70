// Addresses behind the `#`: the server knows one page only, which the service worker keeps.
import { useSyncExternalStore } from 'react';

export type Route =
  | NotesRoute
  | { readonly screen: 'reports'; readonly id: string | null }
  | { readonly screen: 'conflict'; readonly entryId: string }
  | { readonly screen: 'sync' | 'account' };

export interface NotesRoute {
  readonly screen: 'notes';
  /** The open note, or null. A note that was never saved has the id that it will have. */
  readonly id: string | null;
  /** `to-begin`: somebody asks for a new note, and it has no id yet. */
  readonly stage: 'stored' | 'new' | 'to-begin';
  readonly aboutReport: string | null;
}

/** In the place of the id, in the address of a note that was never saved. */
const NEW = 'new';

export const paths = {
  notes: '#/notes',
  newNote: `#/notes/${NEW}`,
  noteAbout: (reportId: string): string => `#/notes/${NEW}?about=${encodeURIComponent(reportId)}`,
  unsavedNote: (id: string, aboutReport: string | null): string =>
    `#/notes/${NEW}?${new URLSearchParams({ draft: id, ...(aboutReport === null ? {} : { about: aboutReport }) }).toString()}`,
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
  const asked = new URLSearchParams(query);
  const aboutReport = asked.get('about');
  if (id !== NEW) return { screen: 'notes', id, stage: 'stored', aboutReport };
  const draft = asked.get('draft');
  return { screen: 'notes', id: draft, stage: draft === null ? 'to-begin' : 'new', aboutReport };
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

export function isConflictOpen(entryId: string): boolean {
  const route = routeOf(location.hash);
  return route.screen === 'conflict' && route.entryId === entryId;
}

/** Whether this note is open. Asks the address itself: a click has changed it before the screen follows. */
export function isNoteOpen(id: string): boolean {
  const route = routeOf(location.hash);
  return route.screen === 'notes' && route.id === id;
}
