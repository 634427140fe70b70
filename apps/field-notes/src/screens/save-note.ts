// Writing notes: each resolves when the note is on this device's disk, whatever the network does.
import type { Entry } from 'nexus-store';
import { backend, notes } from '../app-field.ts';
import { draftOf, nameOf, type Draft, type Note } from '../model/note.ts';

/**
 * Stores a note whole, under an id that was given to it before: asked for twice, it is still one note.
 * Returns it as it was stored.
 */
export async function saveWhole(note: Omit<Note, 'changedAt'>): Promise<Note> {
  const whole = { ...note, title: nameOf(note), changedAt: Date.now() };
  await notes.save(whole, { priority: note.priority });
  return whole;
}

/**
 * Stores the fields that were changed, and no other: what came from the server meanwhile stays. Returns
 * the note as it was stored; its id is another one if the server had refused to create it.
 */
export async function saveFields(note: Note, fields: Partial<Draft>): Promise<Note> {
  const whole = { ...note, ...fields };
  const named = 'title' in fields ? { ...fields, title: nameOf(whole) } : fields;
  const [refused] = await lettersOf(note.id);
  if (refused !== undefined) return replaceRefused({ ...whole, ...named }, refused);
  const changes = { ...named, changedAt: Date.now() };
  await notes.patch(note.id, changes, { priority: whole.priority });
  return { ...whole, ...changes };
}

/** Sends a refused note again: as it was refused, or as it is now if it was changed since. */
export async function sendAgain(note: Note, refused: Entry): Promise<string> {
  const waiting = await notes.pendingChanges();
  if (waiting.some(({ entityId }) => entityId === note.id))
    return (await replaceRefused(note, refused)).id;
  await backend.retry(refused.id);
  return note.id;
}

/**
 * Puts the note as it is now in the place of what was refused. The new write is on disk before the old one
 * goes: at no moment is the note in neither.
 */
async function replaceRefused(note: Note, refused: Entry): Promise<Note> {
  if (refused.operation === 'create') {
    // The server never had it, so nobody knows its old id. The new one is the same whoever asks again.
    const replacement = await saveWhole({ ...note, id: refused.idempotencyKey });
    await giveUp(note.id);
    return replacement;
  }
  const changes = { ...draftOf(note), changedAt: Date.now() };
  await notes.patch(note.id, changes, { priority: note.priority });
  await backend.discard(refused.id);
  return { ...note, ...changes };
}

/** What was made on a create that is given up becomes dead letters too. */
async function giveUp(noteId: string): Promise<void> {
  for (;;) {
    const letters = await lettersOf(noteId);
    if (letters.length === 0) return;
    for (const { id } of letters) await backend.discard(id);
  }
}

/** What the server has refused of a note, oldest first. */
async function lettersOf(noteId: string): Promise<readonly Entry[]> {
  const letters = await backend.deadLetters({ collection: notes.collection });
  return letters.filter(({ entityId }) => entityId === noteId);
}

/**
 * Deletes a note. What this returns brings it back, if need be as a new write; it does nothing once somebody else
 * is signed in, or nobody: the note would become theirs.
 */
export async function deleteNote(note: Note, principal: string): Promise<() => Promise<void>> {
  const { entry } = await notes.delete(note.id, { priority: note.priority });
  const isOwn = (): boolean => backend.principal === principal;
  return async () => {
    if (!isOwn()) return;
    const isBack = entry !== null && (await backend.cancel(entry.id)) === 'cancelled';
    if (!isBack && isOwn()) await notes.save(note, { priority: note.priority });
  };
}
