import { lazy, Suspense } from 'react';
import { remote } from '../app-field.ts';
import { showInspector } from '../inspector-switch.ts';
import { Icon } from './icon.tsx';

// Nobody who does not ask for it loads it.
const Inspector = lazy(async () => {
  const { NexusInspector } = await import('nexus-store/react/inspector');
  return { default: NexusInspector };
});

/** What developers see of the queue, below the app. */
export function InspectorPanel() {
  return (
    <aside className="inspector" aria-label="Developer tools">
      <div className="inspector-head">
        <h2>Inspector</h2>
        <button
          type="button"
          className="plain"
          aria-label="Hide the inspector"
          onClick={() => showInspector(false)}
        >
          <Icon name="remove" />
        </button>
      </div>
      <div className="inspector-body">
        <Suspense fallback={<p className="empty">Loading the inspector …</p>}>
          <Inspector remote={remote} />
        </Suspense>
      </div>
    </aside>
  );
}
