/** SQLite's own words for result codes (sqlite3_errstr), where a library passes nothing else on. */
const CODE_OF_TEXT: Readonly<Record<string, number>> = {
  'database is locked': 5,
  'database table is locked': 6,
  'attempt to write a readonly database': 8,
  'disk I/O error': 10,
  'database disk image is malformed': 11,
  'database or disk is full': 13,
  'unable to open database file': 14,
  'locking protocol': 15,
  'constraint failed': 19,
  'datatype mismatch': 20,
  'file is not a database': 26,
};

/**
 * The forms in which libraries print the code: `Error code 5: …` (expo-sqlite on iOS), the same with the
 * code as a character (expo-sqlite on Android appends the number to a C++ string), `SQLite error code: 5, …`
 * and `…:\n5 description:\n…` (op-sqlite).
 */
const FORMS: readonly RegExp[] = [
  /error code:? (\d+)[:,]/i,
  /:\n(\d+) description:/,
  // oxlint-disable-next-line no-control-regex
  /Error code ([\u0001-\u001f]): /,
];

/** SQLite's result code in an error of a phone's library; undefined if it holds none. */
export function resultCodeIn(error: unknown): number | undefined {
  const text = error instanceof Error ? error.message : String(error);
  for (const form of FORMS) {
    const code = form.exec(text)?.[1];
    if (code !== undefined) return /^\d+$/.test(code) ? Number(code) : code.charCodeAt(0);
  }
  const known = Object.entries(CODE_OF_TEXT).find(([words]) => text.includes(words));
  return known?.[1];
}

/** Runs a call of the library; its failures carry SQLite's result code, as `sqliteStorage` wants it. */
export async function withResultCode<T>(call: () => T | Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    const errcode = resultCodeIn(error);
    if (errcode === undefined) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw Object.assign(new Error(message, { cause: error }), { errcode });
  }
}

/** Calls of one connection, one at a time, in the order they were made. */
export class OneAtATime {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(call: () => T | Promise<T>): Promise<T> {
    const next = this.#last.then(() => withResultCode(call));
    this.#last = next.catch(() => {});
    return next;
  }
}

/** A path as a folder and a file, for libraries that take them apart. A name alone is in their own folder. */
export function splitPath(path: string): { readonly folder?: string; readonly file: string } {
  const slash = path.lastIndexOf('/');
  if (slash < 0) return { file: path };
  return { folder: path.slice(0, slash === 0 ? 1 : slash), file: path.slice(slash + 1) };
}
