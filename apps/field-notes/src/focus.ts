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

function headingOf(part: Element | null): HTMLElement | undefined {
  const here = part?.isConnected === true ? headingIn(part) : undefined;
  return here ?? mainHeading();
}

/** Where the content begins. */
export function mainHeading(): HTMLElement | undefined {
  const main = document.querySelector('main');
  return main === null ? undefined : headingIn(main);
}

/** The first in sight: where there is no room for two parts, the heading of the other is hidden. */
function headingIn(part: Element): HTMLElement | undefined {
  return [...part.querySelectorAll('h1')].find((heading) => heading.checkVisibility());
}
