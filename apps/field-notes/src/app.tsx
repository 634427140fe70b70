import { NexusProvider } from 'nexus-store/react';
import { useState } from 'react';
import { backend, background } from './app-field.ts';
import { isInspectorShown } from './inspector-switch.ts';
import { takeUpdate, waitingWorker } from './installing.ts';
import { useObserved } from './observed.ts';
import { Announcer, Banner } from './parts/banner.tsx';
import { ErrorBoundary } from './parts/error-boundary.tsx';
import { Header } from './parts/header.tsx';
import { InspectorPanel } from './parts/inspector-panel.tsx';
import { Toasts } from './parts/toast.tsx';
import { useRoute, type Route } from './route.ts';
import { AccountScreen } from './screens/account-screen.tsx';
import { ConflictScreen } from './screens/conflict-screen.tsx';
import { NotesScreen } from './screens/notes-screen.tsx';
import { ReportsScreen } from './screens/reports-screen.tsx';
import { SignInScreen } from './screens/sign-in.tsx';
import { SyncScreen } from './screens/sync-screen.tsx';
import { session, type SignedIn } from './session.ts';

export function App() {
  const { user } = useObserved(session);
  const route = useRoute();
  const isInspecting = useObserved(isInspectorShown);
  return (
    <NexusProvider backend={backend} background={background}>
      {user === null ? (
        <SignInScreen />
      ) : (
        <div className="frame" data-screen={route.screen}>
          <Header />
          <Banner />
          <UpdateOffer />
          <main id="main">
            <ErrorBoundary key={route.screen}>
              <Screen route={route} user={user} />
            </ErrorBoundary>
          </main>
          {isInspecting && <InspectorPanel />}
          <Announcer />
        </div>
      )}
      <Toasts />
    </NexusProvider>
  );
}

function Screen({ route, user }: { readonly route: Route; readonly user: SignedIn }) {
  switch (route.screen) {
    case 'notes':
      return <NotesScreen principal={user.principal} route={route} />;
    case 'reports':
      return <ReportsScreen id={route.id} />;
    case 'conflict':
      return <ConflictScreen key={route.entryId} entryId={route.entryId} />;
    case 'sync':
      return <SyncScreen />;
    case 'account':
      return <AccountScreen user={user} />;
  }
}

/** A new version never takes over under somebody's hands. Drafts outlive the reload. */
function UpdateOffer() {
  const waiting = useObserved(waitingWorker);
  const [taken, setTaken] = useState<ServiceWorker | null>(null);
  if (waiting === null) return null;
  const isTaken = taken === waiting;
  const take = (): void => {
    setTaken(waiting);
    takeUpdate();
  };
  return (
    <div className="banner" data-tone="good" role="status">
      <p>
        {isTaken
          ? 'The new version starts as soon as nothing is sent in the background any more.'
          : 'A new version of Field notes is ready.'}
      </p>
      <button type="button" aria-disabled={isTaken} onClick={take}>
        {isTaken ? 'Reloading …' : 'Reload'}
      </button>
    </div>
  );
}
