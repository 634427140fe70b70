import { lazy, Suspense, useId } from 'react';
import { remote } from '../app-field.ts';
import { isInspectorFolded, showInspector } from '../inspector-switch.ts';
import { reloadNewest } from '../installing.ts';
import { useObserved } from '../observed.ts';
import { ErrorBoundary } from './error-boundary.tsx';
import { Icon } from './icon.tsx';

// Nobody who does not ask for it loads it.
const Inspector = lazy(async () => {
  const { NexusInspector } = await import('nexus-store/react/inspector');
  return { default: NexusInspector };
});

/** What developers see of the queue, below the app. */
export function InspectorPanel() {
  const isFolded = useObserved(isInspectorFolded);
  const bodyId = useId();
  return (
    <aside className="inspector" data-folded={isFolded} aria-label="Developer tools">
      <div className="inspector-head">
        <h2>Inspector</h2>
        <button
          type="button"
          className="plain"
          aria-label="Show all of the inspector"
          aria-expanded={!isFolded}
          aria-controls={bodyId}
          onClick={() => isInspectorFolded.set(!isFolded)}
        >
          <Icon name={isFolded ? 'unfold' : 'fold'} />
        </button>
        <button
          type="button"
          className="plain"
          aria-label="Hide the inspector"
          onClick={() => showInspector(false)}
        >
          <Icon name="remove" />
        </button>
      </div>
      <div className="inspector-body" id={bodyId} hidden={isFolded}>
        {/* A version that is gone from the server has taken its inspector along. */}
        <ErrorBoundary onRetry={() => void reloadNewest()}>
          <Suspense fallback={<p className="empty">Loading the inspector …</p>}>
            <Inspector remote={remote} />
          </Suspense>
        </ErrorBoundary>
      </div>
    </aside>
  );
}
