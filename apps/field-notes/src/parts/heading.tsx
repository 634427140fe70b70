import { useEffect, useRef, type ReactNode } from 'react';

export interface HeadingProps {
  readonly children: ReactNode;
  /** What the page is called meanwhile; also for those who hear it. */
  readonly title: string;
  /** Take the focus when it appears: the screen was asked for by a link. */
  readonly takesFocus?: boolean;
  readonly className?: string;
}

/** The first address of this visit was typed or started from an icon: the browser decides on the focus. */
let hasMoved = false;
addEventListener('hashchange', takeFocusFromNowOn);

/** Somebody has done something here: the next screen is asked for by that, also at the same address. */
export function takeFocusFromNowOn(): void {
  hasMoved = true;
}

/** The heading of a screen. Whoever reads by ear or by keyboard is taken there with it. */
export function Heading({ children, title, takesFocus = true, className }: HeadingProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · Field notes`;
  }, [title, takesFocus]);
  // Not with every title: it may be the very text that is being typed.
  useEffect(() => {
    if (takesFocus && hasMoved) heading.current?.focus({ preventScroll: true });
  }, [takesFocus]);
  return (
    <h1 ref={heading} tabIndex={-1} className={className}>
      {children}
    </h1>
  );
}
