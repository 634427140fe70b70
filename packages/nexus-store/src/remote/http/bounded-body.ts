/** Larger answers are refused; a page of a pull stays far below. */
export const MAX_ANSWER_BYTES: number = 8 * 1024 * 1024;
/** Enough of an error page to find its beginning. */
export const MAX_ERROR_BYTES: number = 64 * 1024;

/** The answer's body is larger than this client reads. */
export class BodyTooLargeError extends Error {}

/**
 * The text of a body, never holding more than `maxBytes` of it. Rejects with what the stream rejects
 * with, with `BodyTooLargeError`, or with a `TypeError` for bytes that are not UTF-8 (`isStrict`).
 *
 * @param isStrict false returns what fits and replaces broken characters: good enough for an error page
 */
export async function boundedText(
  response: Response,
  maxBytes: number,
  isStrict: boolean,
): Promise<string> {
  if (!response.body) return wholeText(response, maxBytes, isStrict);
  const reader = response.body.getReader();
  const decoder = new TextDecoder('utf-8', { fatal: isStrict });
  let text = '';
  let bytes = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return text + decoder.decode();
      bytes += value.byteLength;
      if (bytes > maxBytes && isStrict) throw new BodyTooLargeError('the answer is too large');
      text += decoder.decode(value, { stream: true });
      if (bytes > maxBytes) return text.slice(0, maxBytes);
    }
  } finally {
    // Also after the end: cancelling a finished stream does nothing, and a cut one frees its socket.
    void reader.cancel().catch(() => {});
  }
}

/** React Native's fetch has no streams; there the platform holds the body whatever we do. */
async function wholeText(response: Response, maxBytes: number, isStrict: boolean): Promise<string> {
  const text = await response.text();
  if (text.length <= maxBytes) return text;
  if (isStrict) throw new BodyTooLargeError('the answer is too large');
  return text.slice(0, maxBytes);
}
