const SURROGATE = /[\ud800-\udfff]/;

/**
 * False for a text with a lone half of a surrogate pair. It cannot be stored as UTF-8, so two names or ids that
 * differ in nothing else would become one on some databases and stay two on others.
 */
export function isWellFormed(text: string): boolean {
  if (!SURROGATE.test(text)) return true;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit < 0xd800 || unit > 0xdfff) continue;
    const next = text.charCodeAt(i + 1);
    if (unit > 0xdbff || !(next >= 0xdc00 && next <= 0xdfff)) return false;
    i += 1;
  }
  return true;
}
