/** How much of a refused body is still read, so that the client gets to see the refusal. */
const DRAINED_TIMES = 4;

/**
 * The text of a request's body; undefined if it is larger than `maxBytes`, however large the headers say
 * it is. Of a body that is too large no more than one chunk is held.
 *
 * @throws TypeError for bytes that are not UTF-8
 */
export async function boundedBody(request: Request, maxBytes: number): Promise<string | undefined> {
  if (request.body === null) return '';
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const reader = (request.body as ReadableStream<Uint8Array>).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    bytes += value.byteLength;
    if (bytes <= maxBytes) chunks.push(value);
    else chunks.length = 0;
    if (bytes > maxBytes * DRAINED_TIMES) {
      void reader.cancel().catch(() => {});
      break;
    }
  }
  if (bytes > maxBytes) return undefined;
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const only = chunks[0];
  return decoder.decode(chunks.length === 1 ? only : Buffer.concat(chunks));
}
