// Writing notes: each resolves when the note is on this device's disk, whatever the network does.
import type { Entry } from 'nexus-store';
import { backend, notes } from '../app-field.ts';
import { changedFields, draftOf, type Draft, type Note } from '../model/note.ts';

/** Stores a new note and returns its id. */
export async function saveNewNote(draft: Draft, reportId: string | null): Promise<string> {
  return store({ ...draft, id: '', reportId, changedAt: 0 });
}

async function store(note: Note): Promise<string> {
  const id = backend.runtime.ids.uuid();
  await notes.save({ ...note, id, changedAt: Date.now() }, { priority: note.priority });
  return id;
}

/**
 * Stores what was changed since the draft began, and no other field: what came from the server meanwhile
 * stays. Returns the note's id, which is another one if the server had refused to create it.
 */
export async function saveChanges(note: Note, draft: Draft, base: Draft): Promise<string> {
  const fields = changedFields(base, draft);
  const [refused] = await lettersOf(note.id);
  if (refused !== undefined) return replaceRefused({ ...note, ...fields }, refused);
  const changes = { ...fields, changedAt: Date.now() };
  await notes.patch(note.id, changes, { priority: draft.priority });
  return note.id;
}

/** Sends a refused note again: as it was refused, or as it is now if it was changed since. */
export async function sendAgain(note: Note, refused: Entry): Promise<string> {
  const waiting = await notes.pendingChanges();
  if (waiting.some(({ entityId }) => entityId === note.id)) return replaceRefused(note, refused);
  await backend.retry(refused.id);
  return note.id;
}

/**
 * Puts the note as it is now in the place of what was refused. The new write is on disk before the old one
 * goes: at no moment is the note in neither.
 */
async function replaceRefused(note: Note, refused: Entry): Promise<string> {
  if (refused.operation === 'create') {
    // The server never had it, so nobody knows its old id.
    const id = await store(note);
    await giveUp(note.id);
    return id;
  }
  const changes = { ...draftOf(note), changedAt: Date.now() };
  await notes.patch(note.id, changes, { priority: note.priority });
  await backend.discard(refused.id);
  return note.id;
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

/** Deletes a note; what it returns brings it back, if need be as a new write. */
export async function deleteNote(note: Note): Promise<() => Promise<void>> {
  const { entry } = await notes.delete(note.id, { priority: note.priority });
  return async () => {
    const isBack = entry !== null && (await backend.cancel(entry.id)) === 'cancelled';
    if (!isBack) await notes.save(note, { priority: note.priority });
  };
}
