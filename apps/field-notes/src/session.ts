// Who uses the app: signing in and out, and what becomes of writes that were not sent.
import type { PendingOnSignOut, SyncStatus } from 'nexus-store';
import { backend } from './app-field.ts';
import {
  aloneWithCredentials,
  credentialsOf,
  forgetCredentials,
  saveCredentials,
} from './credentials.ts';
import { draftsOf, forgetDrafts } from './drafts/kept-drafts.ts';
import { Observed } from './observed.ts';
import { goInstead, paths } from './route.ts';

export interface SignedIn {
  readonly principal: string;
  readonly name: string;
}

export interface Session {
  readonly user: SignedIn | null;
  /** What to say to somebody who has just signed out. */
  readonly farewell: string | null;
}

/** `failing`: the server answers, but not to this. */
export type SignInResult = 'signed-in' | 'unknown-code' | 'offline' | 'failing';

/** A network that swallows requests is not waited for longer. Unit: milliseconds. */
const ANSWER_PATIENCE_MS = 20_000;

export const session: Observed<Session> = new Observed<Session>({ user: null, farewell: null });

/** Other tabs of the app follow: they would show rows that are not theirs to show. */
const tabs = new BroadcastChannel('field-notes-session');
tabs.onmessage = () => location.reload();

/** Opens the database and finds out who was signed in. */
export async function resumeSession(): Promise<void> {
  await backend.open();
  const { principal } = backend;
  if (principal === null) {
    // Ended between the two steps of signing out.
    forgetOthers().catch((error: unknown) => console.error(error));
    return;
  }
  const credentials = await credentialsOf(principal);
  session.set({ user: { principal, name: credentials?.name ?? principal }, farewell: null });
}

/** Forgets the credentials of everybody who is not signed in, as it is in storage: other tabs sign in and out too. */
async function forgetOthers(): Promise<void> {
  await aloneWithCredentials(async () => {
    await backend.refresh();
    await forgetCredentials(backend.principal);
  });
}

export async function signIn(code: string): Promise<SignInResult> {
  const answer = await askWho(code);
  if (typeof answer === 'string') return answer;
  // First the credentials: the first request leaves as soon as the backend knows the user.
  const isAnother = await aloneWithCredentials(async () => {
    await saveCredentials({ ...answer, token: code });
    const { principal } = backend;
    await backend.signIn(answer.principal);
    return principal !== answer.principal;
  });
  // What the server has is wanted now, also where nothing that is shown asks for it.
  backend.wake();
  session.set({ user: answer, farewell: null });
  if (isAnother) tabs.postMessage('changed');
  return 'signed-in';
}

async function askWho(code: string): Promise<SignedIn | Exclude<SignInResult, 'signed-in'>> {
  const headers = { authorization: `Bearer ${code}` };
  try {
    const signal = AbortSignal.timeout(ANSWER_PATIENCE_MS);
    const answer = await fetch('/session', { headers, signal });
    if (answer.status === 401) return 'unknown-code';
    return answer.ok ? ((await answer.json()) as SignedIn) : 'failing';
  } catch {
    // Also where a page of the network's own answers for the server.
    return 'offline';
  }
}

export async function signOut(pending: PendingOnSignOut): Promise<void> {
  const { user } = session.current;
  await backend.refresh();
  const before = unsentCount(backend.status.current);
  let sent = 0;
  const stop = backend.on((event) => {
    if (event.type === 'entry-applied') sent += 1;
  });
  try {
    await backend.signOut({ pending });
  } finally {
    stop();
  }
  await forgetOthers();
  if (pending === 'discard' && user !== null) forgetDrafts(user.principal);
  const name = user?.name ?? '';
  const hasDrafts = user !== null && draftsOf(user.principal).length > 0;
  const farewell = farewellWords(pending, name, before, Math.min(sent, before), hasDrafts);
  const drafts = ` Text that you had not saved stays here too, until ${name} signs in again.`;
  session.set({ user: null, farewell: hasDrafts ? farewell + drafts : farewell });
  goInstead(paths.notes);
  tabs.postMessage('changed');
}

/** Writes that the server does not have, for whatever reason. */
export function unsentCount(status: SyncStatus): number {
  const { critical, high, normal, low } = status.pending;
  return critical + high + normal + low + status.conflicts + status.dead;
}

function farewellWords(
  pending: PendingOnSignOut,
  name: string,
  before: number,
  sent: number,
  hasDrafts: boolean,
): string {
  const left = before - sent;
  if (before === 0)
    return `You have signed out. Everything you ${hasDrafts ? 'saved' : 'wrote'} is on the server.`;
  if (pending === 'discard')
    return `You have signed out. ${changes(before)} that had not been sent ${before === 1 ? 'was' : 'were'} deleted, as you asked.`;
  if (left === 0)
    return `You have signed out. ${changes(sent)} ${sent === 1 ? 'was' : 'were'} sent first.`;
  const first =
    pending === 'flush' && sent > 0 ? `${changes(sent)} ${sent === 1 ? 'was' : 'were'} sent. ` : '';
  return `You have signed out. ${first}${changes(left)} that could not be sent ${left === 1 ? 'stays' : 'stay'} on this device, unseen, until ${name} signs in again. Nobody else sends or sees ${left === 1 ? 'it' : 'them'}.`;
}

const changes = (count: number): string => (count === 1 ? '1 change' : `${count} changes`);
