/** A text from its bytes as SQLite keeps it. A byte order mark is a character like any other here. */
export function textOf(bytes: Uint8Array): string {
  // Hermes has none of its own; Expo brings one, a bare React Native app does not.
  return typeof TextDecoder === 'undefined'
    ? decodedUtf8(bytes)
    : new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}

const REPLACEMENT = 0xfffd;

/** What a decoder does; what is no UTF-8 becomes a replacement character, byte by byte. */
export function decodedUtf8(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length;) {
    const length = lengthAt(bytes, at);
    text += String.fromCodePoint(length === 0 ? REPLACEMENT : codePointAt(bytes, at, length));
    at += Math.max(1, length);
  }
  return text;
}

/** Of the character that begins here; 0 if none does. */
function lengthAt(bytes: Uint8Array, at: number): number {
  const lead = bytes[at] as number;
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  for (let next = 1; next < length; next++) {
    if (((bytes[at + next] ?? 0) & 0xc0) !== 0x80) return 0;
  }
  const codePoint = codePointAt(bytes, at, length);
  const isSurrogate = codePoint >= 0xd800 && codePoint < 0xe000;
  const isOverlong = codePoint < (length === 2 ? 0x80 : length === 3 ? 0x800 : 0x10000);
  return isSurrogate || isOverlong || codePoint > 0x10ffff ? 0 : length;
}

function codePointAt(bytes: Uint8Array, at: number, length: number): number {
  const lead = bytes[at] as number;
  let codePoint = length === 1 ? lead : lead & (0x7f >> length);
  for (let next = 1; next < length; next++)
    codePoint = (codePoint << 6) | ((bytes[at + next] as number) & 0x3f);
  return codePoint;
}
