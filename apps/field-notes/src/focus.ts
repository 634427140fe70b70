// What has the focus may go away under it: a button that has done its work, a field that is locked now. Then the
// browser gives the focus to the page as a whole, and whoever uses the keyboard begins at the top again.

/** Parts of a screen with a heading of their own. */
const PARTS = '.list, .detail, main';

/** From now on the heading beside it takes the focus that would be lost. */
export function keepFocus(): void {
  let last: { readonly element: Element; readonly part: Element | null } | null = null;
  document.addEventListener('focusin', ({ target }) => {
    last = target instanceof Element ? { element: target, part: target.closest(PARTS) } : null;
  });
  // Beside everything: nobody asks for a place to go on.
  document.addEventListener('pointerdown', () => {
    last = null;
  });
  const look = (): void => {
    if (last === null) return;
    const { element, part } = last;
    if (element.isConnected && !element.matches(':disabled')) return;
    last = null;
    const { activeElement } = document;
    const isLost = activeElement === null || [document.body, element].includes(activeElement);
    if (isLost) headingOf(part)?.focus({ preventScroll: true });
  };
  new MutationObserver(look).observe(document.body, {
    subtree: true,
    childList: true,
    attributeFilter: ['disabled'],
  });
}

function headingOf(part: Element | null): HTMLElement | null {
  const here = part?.isConnected === true ? part.querySelector('h1') : null;
  return here ?? document.querySelector<HTMLElement>('main h1');
}
