import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { holdTab } from './drafts/tab.ts';
import { keepFocus } from './focus.ts';
import { followInstallation, reloadNewest } from './installing.ts';
import { Failure } from './parts/failure.tsx';
import { resumeSession } from './session.ts';

const element = document.querySelector('#app');
if (element === null) throw new Error('the page has no place for the app');
const root = createRoot(element);

followInstallation();
keepFocus();
try {
  await Promise.all([resumeSession(), holdTab()]);
  root.render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
} catch (error) {
  // Without its database the app could only pretend to save.
  root.render(
    <main id="main" className="door">
      <h1>Field notes</h1>
      <Failure error={error} onRetry={() => void reloadNewest()} />
    </main>,
  );
}
