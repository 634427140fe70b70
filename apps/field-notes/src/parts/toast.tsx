import { useEffect, useState } from 'react';
import { Observed, useObserved } from '../observed.ts';
import { session } from '../session.ts';
import { Icon } from './icon.tsx';

interface Toast {
  /** Each is a thing of its own: the pointer that was over the one before says nothing. */
  readonly key: number;
  readonly text: string;
  readonly action?: { readonly label: string; readonly run: () => void };
}

const toast: Observed<Toast | null> = new Observed<Toast | null>(null);

// What was said to one user is not for the next, and what a button undoes is not theirs.
session.subscribe(closeToast);

let said = 0;

/** So long it stands while nobody points at it or has the focus in it. Unit: milliseconds. */
const SHOWN_MS = 4_000;
/** The same where there is something to press: nobody has to be quick. */
const ACTION_SHOWN_MS = 20_000;

/** Says something, until the next thing is said, another user comes, or it was there long enough. */
export function say(text: string, action?: Toast['action']): void {
  said += 1;
  toast.set({ key: said, text, ...(action === undefined ? {} : { action }) });
}

export function closeToast(): void {
  toast.set(null);
}

export function Toasts() {
  const shown = useObserved(toast);
  return (
    <div className="toasts" role="status">
      {shown !== null && <ShownToast key={shown.key} toast={shown} />}
    </div>
  );
}

function ShownToast({ toast: { text, action } }: { readonly toast: Toast }) {
  const [isPointedAt, setIsPointedAt] = useState(false);
  const [hasFocus, setHasFocus] = useState(false);
  const isHeld = isPointedAt || hasFocus;
  useEffect(() => {
    if (isHeld) return undefined;
    const timer = setTimeout(closeToast, action === undefined ? SHOWN_MS : ACTION_SHOWN_MS);
    return () => clearTimeout(timer);
  }, [isHeld, action]);
  return (
    <div
      className="toast"
      onPointerEnter={() => setIsPointedAt(true)}
      onPointerLeave={() => setIsPointedAt(false)}
      onFocus={() => setHasFocus(true)}
      onBlur={() => setHasFocus(false)}
    >
      <span>{text}</span>
      {action !== undefined && (
        <button
          type="button"
          className="link"
          onClick={() => {
            closeToast();
            action.run();
          }}
        >
          {action.label}
        </button>
      )}
      <button type="button" className="plain" aria-label="Close message" onClick={closeToast}>
        <Icon name="remove" />
      </button>
    </div>
  );
}
