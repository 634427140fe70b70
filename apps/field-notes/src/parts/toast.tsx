import { useEffect } from 'react';
import { Observed, useObserved } from '../observed.ts';
import { Icon } from './icon.tsx';

interface Toast {
  readonly text: string;
  readonly action?: { readonly label: string; readonly run: () => void };
}

const toast: Observed<Toast | null> = new Observed<Toast | null>(null);

/** What asks for nothing goes by itself. Unit: milliseconds. */
const SHOWN_MS = 4_000;

/** Says something. With an action it stays until it is closed or the next thing is said: nobody has to be quick. */
export function say(text: string, action?: Toast['action']): void {
  toast.set(action === undefined ? { text } : { text, action });
}

export function closeToast(): void {
  toast.set(null);
}

export function Toasts() {
  const shown = useObserved(toast);
  useEffect(() => {
    if (shown === null || shown.action !== undefined) return undefined;
    const timer = setTimeout(closeToast, SHOWN_MS);
    return () => clearTimeout(timer);
  }, [shown]);
  return (
    <div className="toasts" role="status">
      {shown !== null && (
        <div className="toast">
          <span>{shown.text}</span>
          {shown.action !== undefined && (
            <button
              type="button"
              className="link"
              onClick={() => {
                closeToast();
                shown.action?.run();
              }}
            >
              {shown.action.label}
            </button>
          )}
          <button type="button" className="plain" aria-label="Close message" onClick={closeToast}>
            <Icon name="remove" />
          </button>
        </div>
      )}
    </div>
  );
}
