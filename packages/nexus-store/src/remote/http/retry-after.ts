/** A longer wish is cut: a server that sends nonsense must not silence a device for good. */
export const MAX_RETRY_AFTER_MS = 86_400_000;

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const IMF_FIXDATE = /^[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/;
const RFC_850 = /^[A-Z][a-z]{5,8}, (\d{2})-([A-Z][a-z]{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) GMT$/;
const ASCTIME = /^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/;

/**
 * How long the server asks to wait, within [0, 24 h]; undefined without a usable header. A date is judged
 * against the answer's own `Date`, because the device's clock may be wrong by hours.
 *
 * @param header the `Retry-After` header: seconds or an HTTP date
 * @param dateHeader the answer's `Date` header
 * @param now epoch milliseconds, used only if the answer has no `Date`
 * @returns milliseconds
 */
export function retryAfterMs(
  header: string | null,
  dateHeader: string | null,
  now: number,
): number | undefined {
  if (header === null) return undefined;
  const text = header.trim();
  if (/^\d+$/.test(text)) return clampRetryAfterMs(Number(text) * 1000);
  const until = httpDate(text, now);
  if (until === undefined) return undefined;
  const base = dateHeader === null ? undefined : httpDate(dateHeader.trim(), now);
  return clampRetryAfterMs(until - (base ?? now));
}

export function clampRetryAfterMs(delayMs: number): number {
  return Math.min(Math.max(delayMs, 0), MAX_RETRY_AFTER_MS);
}

/**
 * Epoch milliseconds of an HTTP date in one of its three forms (RFC 9110, 5.6.7). `Date.parse` would read
 * the third one as local time, and engines differ in what else they accept.
 */
export function httpDate(text: string, now: number): number | undefined {
  let match = IMF_FIXDATE.exec(text);
  if (match) return utc(match[3], match[2], match[1], match.slice(4));
  match = RFC_850.exec(text);
  if (match) return utc(fullYear(match[3] ?? '', now), match[2], match[1], match.slice(4));
  match = ASCTIME.exec(text);
  if (match) return utc(match[6], match[1], match[2], match.slice(3, 6));
  return undefined;
}

/** A two-digit year more than 50 years ahead means the past century. */
function fullYear(twoDigits: string, now: number): string {
  const thisYear = new Date(now).getUTCFullYear();
  const year = thisYear - (thisYear % 100) + Number(twoDigits);
  return String(year > thisYear + 50 ? year - 100 : year);
}

function utc(
  year: string | undefined,
  monthName: string | undefined,
  day: string | undefined,
  time: readonly string[],
): number | undefined {
  const month = MONTHS.indexOf(monthName ?? '');
  const [hours, minutes, seconds] = time.map(Number);
  if (month < 0 || hours === undefined || hours > 23) return undefined;
  const at = Date.UTC(Number(year), month, Number(day), hours, minutes, seconds);
  return Number.isNaN(at) ? undefined : at;
}
