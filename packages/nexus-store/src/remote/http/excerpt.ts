import { MAX_FAILURE_DETAIL_LENGTH } from '../../core/model/outcome.ts';

/** So much of a secret is enough to recognise an echo of it, also one that was cut off. */
const RECOGNISED_LENGTH = 32;
/** Shorter strings (`{}`, `en`) occur in any text and tell nobody anything. */
const SHORTEST_SECRET = 6;

/**
 * The beginning of an answer's text, at most 1 KiB of UTF-8. Some servers and proxies echo the request in
 * their error pages; the excerpt ends where one of `secrets` (our payloads and header values) begins.
 */
export function excerpt(text: string, secrets: readonly string[]): string {
  let end = text.length;
  for (const secret of secrets) {
    if (secret.length < SHORTEST_SECRET) continue;
    for (const form of echoes(secret)) {
      const at = text.indexOf(form);
      if (at >= 0 && at < end) end = at;
    }
  }
  const kept = end < text.length ? `${text.slice(0, end)}[echo of the request]` : text;
  return cut(kept, MAX_FAILURE_DETAIL_LENGTH);
}

/** How a secret looks when echoed: as it is, inside a JSON string, inside HTML. */
function echoes(secret: string): readonly string[] {
  const head = secret.slice(0, RECOGNISED_LENGTH);
  const quoted = JSON.stringify(head).slice(1, -1);
  const html = head
    .replaceAll('&', '&amp;')
    .replaceAll('"', '&quot;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;');
  return [head, quoted, html, head.replaceAll('"', '&#34;')];
}

/** The longest beginning of whole characters within so many bytes of UTF-8. */
function cut(text: string, maxBytes: number): string {
  let bytes = 0;
  let end = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x1_0000 ? 3 : 4;
    if (bytes > maxBytes) break;
    end += character.length;
  }
  return text.slice(0, end);
}
