import type { NavigatorLike } from './browser.ts';

/** Shows a count on the icon of the installed app; none for 0. Nothing happens where there is no such thing. */
export async function showBadge(navigator: NavigatorLike, count: number): Promise<void> {
  if (count > 0) await navigator.setAppBadge?.(count);
  else await navigator.clearAppBadge?.();
}
