import { Observed } from './observed.ts';

const KEY = 'field-notes.inspector';

export const isInspectorShown: Observed<boolean> = new Observed(read());

/** Only its head is shown: on a phone the rest hides what is being inspected. */
export const isInspectorFolded: Observed<boolean> = new Observed(false);

function read(): boolean {
  try {
    return localStorage.getItem(KEY) === 'shown';
  } catch {
    return false;
  }
}

export function showInspector(isShown: boolean): void {
  isInspectorShown.set(isShown);
  try {
    if (isShown) localStorage.setItem(KEY, 'shown');
    else localStorage.removeItem(KEY);
  } catch {
    // Then it is forgotten with the page.
  }
}
