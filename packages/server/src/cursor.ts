/**
 * A position in the changes of one principal. Opaque to clients.
 *
 * - `epoch` names the database, so that a cursor of another or a restored one is not believed.
 * - `position`: every change up to it has been given out.
 * - `since`: the position that a full pull began at. Until it is reached, changes below it are new to the
 *   client, and tombstones forgotten below it never concerned it.
 */
export interface Cursor {
  readonly epoch: string;
  readonly position: number;
  readonly since: number;
}

export function cursorText(cursor: Cursor): string {
  return `${cursor.epoch}.${cursor.position}.${cursor.since}`;
}

/** Undefined for a text that was never a cursor. */
export function parseCursor(text: string): Cursor | undefined {
  const match = /^([0-9a-f]{8,64})\.(\d{1,15})\.(\d{1,15})$/.exec(text);
  if (!match) return undefined;
  return { epoch: match[1] ?? '', position: Number(match[2]), since: Number(match[3]) };
}
