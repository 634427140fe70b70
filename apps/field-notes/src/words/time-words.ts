const DAY_MS = 86_400_000;

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** An instant, as short as it can be said. */
export function timeWords(at: number, now: number = Date.now()): string {
  if (at === 0) return '';
  const isToday = new Date(at).toDateString() === new Date(now).toDateString();
  if (isToday) return clock.format(at);
  return Math.abs(now - at) < 300 * DAY_MS ? day.format(at) : full.format(at);
}

export function fullTimeWords(at: number): string {
  return full.format(at);
}

/** How long it is until then; null if it is now or past. */
export function untilWords(at: number, now: number = Date.now()): string | null {
  const seconds = Math.round((at - now) / 1_000);
  if (seconds <= 0) return null;
  if (seconds < 90) return `in ${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `in ${minutes} min` : `at ${timeWords(at, now)}`;
}

export function sizeWords(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${Math.round(bytes / 1_000)} kB`;
  if (bytes < 1_000_000_000) return `${(bytes / 1_000_000).toFixed(1)} MB`;
  return `${(bytes / 1_000_000_000).toFixed(1)} GB`;
}
