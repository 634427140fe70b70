import { useState } from 'react';
import { reloadNewest } from '../installing.ts';
import { failureWords } from '../words/failure-words.ts';

/** What went wrong, heard at once. */
export function Failure({
  error,
  onRetry,
}: {
  readonly error: unknown;
  readonly onRetry?: () => void;
}) {
  const { what, help, needsReload = false } = failureWords(error);
  return (
    <div className="notice" data-tone="bad" role="alert">
      <p>
        <strong>{what}</strong> {help}
      </p>
      {needsReload ? (
        <ReloadButton />
      ) : (
        onRetry !== undefined && (
          <button type="button" onClick={onRetry}>
            Try again
          </button>
        )
      )}
    </div>
  );
}

function ReloadButton() {
  const [isBusy, setIsBusy] = useState(false);
  const reload = (): void => {
    if (isBusy) return;
    setIsBusy(true);
    void reloadNewest();
  };
  return (
    <button type="button" aria-disabled={isBusy} onClick={reload}>
      {isBusy ? 'Reloading …' : 'Reload'}
    </button>
  );
}
