import { isNexusError } from 'nexus-store';

/** What went wrong, and what a person can do about it. */
export interface FailureWords {
  readonly what: string;
  readonly help: string;
  /** The page as it is can do nothing about it, however often it tries. */
  readonly needsReload?: true;
}

const WORDS: Readonly<Record<string, FailureWords>> = {
  'storage/quota-exceeded': {
    what: 'This device has no room left for Field notes. Nothing of this was stored.',
    help: 'Your text is still in the editor. Make room (delete downloads, videos or the data of other sites, or let waiting notes be sent first), then save again.',
  },
  'queue/full': {
    what: 'Too much waits to be sent. Nothing of this was stored.',
    help: 'Connect to a network so that waiting notes can be sent, then save again. Critical notes still find a place.',
  },
  'queue/entry-too-large': {
    what: 'This note is too large to be sent.',
    help: 'Shorten the text, or write two notes.',
  },
  'storage/busy': {
    what: 'Another tab holds the database.',
    help: 'Close the other tabs of Field notes, then try again.',
  },
  'storage/version-too-new': {
    what: 'A newer version of Field notes has used this device. Nothing was changed.',
    help: 'Reload to get the newer version.',
    needsReload: true,
  },
  'storage/unavailable': {
    what: 'The browser does not give Field notes any storage.',
    help: 'Leave private browsing, or allow this site to store data, then reload.',
  },
  'storage/corrupt': {
    what: 'Something that was stored cannot be read.',
    help: 'Send what waits first. Then sign out, and clear this site’s data in the browser’s settings.',
  },
  'store/not-found': {
    what: 'This note is no longer there.',
    help: 'It was deleted, here or by someone else. Copy your text into a new note.',
  },
};

/** A failure in words that say what to do, decided by its code. */
export function failureWords(error: unknown): FailureWords {
  const known = isNexusError(error) ? WORDS[error.code] : undefined;
  if (known !== undefined) return known;
  const detail = error instanceof Error ? error.message : String(error);
  return { what: `It did not work: ${detail}`, help: 'Try again.' };
}
