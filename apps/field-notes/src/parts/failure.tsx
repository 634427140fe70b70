import { failureWords } from '../words/failure-words.ts';

/** What went wrong, heard at once. */
export function Failure({
  error,
  onRetry,
}: {
  readonly error: unknown;
  readonly onRetry?: () => void;
}) {
  const { what, help } = failureWords(error);
  return (
    <div className="notice" data-tone="bad" role="alert">
      <p>
        <strong>{what}</strong> {help}
      </p>
      {onRetry !== undefined && (
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}
