/** One record of a file, or why there is none at this place. */
export type RecordRead =
  | { readonly line: number; readonly value: unknown }
  | { readonly line: number; readonly problem: string };

/** A file cannot be read on from here: there is no way to tell where the next record begins. */
export class UnreadableRest extends Error {
  readonly line: number;

  constructor(line: number, reason: string) {
    super(reason);
    this.name = 'UnreadableRest';
    this.line = line;
  }
}

/** No record is longer than this, so that memory stays bounded whatever the file holds. */
export const MAX_RECORD_BYTES: number = 32 * 1024 * 1024;

export const TOO_LONG: string = `the record is longer than ${MAX_RECORD_BYTES / 1024 / 1024} MB`;

const decoder = new TextDecoder('utf-8', { fatal: true });

/** What JSON text in these bytes holds. */
export function parseRecord(bytes: Uint8Array, line: number): RecordRead {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    return { line, problem: 'the text is not UTF-8; save the file as UTF-8' };
  }
  try {
    return { line, value: JSON.parse(text) as unknown };
  } catch (error) {
    return { line, problem: `not JSON: ${jsonReason(error)}` };
  }
}

/** What is wrong, without the excerpt of the data that V8 adds. */
function jsonReason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  if (message.startsWith('Unexpected end')) return 'it ends too early';
  const at = /at position (\d+)/.exec(message)?.[1];
  const where = at === undefined ? '' : ` at character ${Number(at) + 1}`;
  return `${/^(Unexpected (?:token|string|number)|Expected [^,]*|Bad [a-z ]+|Unterminated string)/i.exec(message)?.[1] ?? 'invalid'}${where}`;
}
