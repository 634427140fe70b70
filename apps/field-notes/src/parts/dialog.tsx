import { useEffect, useId, useRef, type ReactNode, type SyntheticEvent } from 'react';

export interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  /** It has been answered, and cannot be left before what was asked for is done. */
  readonly isBusy?: boolean;
  readonly children: ReactNode;
}

/** A question that has to be answered first. The browser keeps the focus inside, and Escape closes it. */
export function Dialog({ title, onClose, isBusy = false, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => element?.close();
  }, []);
  const onCancel = (event: SyntheticEvent): void => {
    event.preventDefault();
    if (!isBusy) onClose();
  };
  return (
    <dialog
      ref={dialog}
      aria-labelledby={titleId}
      // Else the browser would close it itself when Escape is pressed twice.
      closedby={isBusy ? 'none' : 'closerequest'}
      onCancel={onCancel}
    >
      <h2 id={titleId}>{title}</h2>
      {children}
    </dialog>
  );
}
