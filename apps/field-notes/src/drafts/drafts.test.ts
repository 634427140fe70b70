// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { EMPTY_DRAFT, type Draft } from '../model/note.ts';

const NOBODY: ReadonlySet<string> = new Set();
const nest: Draft = { ...EMPTY_DRAFT, title: 'Nest', text: 'As found' };

/** The app's modules as a page has them that was just opened; storage is what it was. */
async function openPage() {
  vi.resetModules();
  const [drafts, { DraftInHand }, { thisTab }] = await Promise.all([
    import('./kept-drafts.ts'),
    import('./draft-in-hand.ts'),
    import('./tab.ts'),
  ]);
  const open = (noteId: string, living: ReadonlySet<string> = NOBODY, isStored = false) =>
    new DraftInHand('ann', noteId, null, drafts.takeDraft('ann', noteId, living, isStored));
  return { ...drafts, open, tab: thisTab() };
}

/** As another tab, or after the end of this one: only its name goes. */
async function openOtherTab() {
  sessionStorage.clear();
  return openPage();
}

const fresh = { draft: EMPTY_DRAFT, version: undefined };

beforeEach(() => {
  localStorage.clear();
  sessionStorage.clear();
});
afterEach(() => {
  vi.unstubAllGlobals();
});

describe('a draft', () => {
  test('is there again after a reload', async () => {
    (await openPage()).open('n1').change(fresh, { title: 'Half a thought' });

    const page = await openPage();

    expect(page.open('n1', new Set([page.tab])).shown(fresh).title).toBe('Half a thought');
  });

  test('of a tab that has ended is taken over by the next one', async () => {
    (await openPage()).open('n1').change(fresh, { title: 'Half a thought' });

    const next = await openOtherTab();

    expect(next.open('n1').shown(fresh).title).toBe('Half a thought');
    expect(next.draftsOf('ann').map(({ tab }) => tab)).toEqual([next.tab]);
  });

  test('of a tab that lives stays its own, whatever is saved elsewhere', async () => {
    const first = await openPage();
    first.open('n1').change(fresh, { title: 'In the first' });
    const second = await openOtherTab();
    const living = new Set([first.tab, second.tab]);
    const stored = { draft: nest, version: {} };
    const hand = second.open('n1', living, true);

    expect(hand.shown(stored)).toEqual(nest);
    hand.change(stored, { title: 'In the second' });
    const saved = { ...nest, title: 'In the second' };
    hand.keepRest(stored, saved, saved);

    expect(second.draftsOf('ann').map(({ edits }) => edits.fields)).toEqual([
      { title: 'In the first' },
    ]);
  });

  test('of a note that was never saved can be read in another tab, as a copy', async () => {
    const first = await openPage();
    first.open('n1').change(fresh, { title: 'In the first' });
    const second = await openOtherTab();

    const hand = second.open('n1', new Set([first.tab, second.tab]));

    expect(hand.shown(fresh).title).toBe('In the first');
    expect(second.draftsOf('ann').map(({ tab }) => tab)).toEqual([first.tab]);
  });

  test('of one user is not seen by another, and goes when it is told to', async () => {
    const page = await openPage();
    page.open('n1').change(fresh, { title: 'Of Ann' });

    expect(page.draftsOf('an')).toEqual([]);
    expect(page.takeDraft('ben', 'n1', NOBODY, false)).toBeUndefined();

    page.forgetDrafts('ann');
    expect(localStorage.length).toBe(0);
  });

  test('that the disk has no room for lives as long as the page', async () => {
    const page = await openPage();
    const setItem = (): never => {
      throw new DOMException('full', 'QuotaExceededError');
    };
    vi.stubGlobal('localStorage', { getItem: () => null, setItem });

    page.open('n1').change(fresh, { title: 'No room for this' });

    expect(page.open('n1').shown(fresh).title).toBe('No room for this');
  });

  test('that something else has left in its place is no draft', async () => {
    localStorage.setItem('field-notes.draft.ann/n1/t', '{"draft":{"title":"an older version"}}');
    localStorage.setItem('field-notes.draft.ann/n2/t', 'nonsense');
    localStorage.setItem('field-notes.draft.%', '{}');

    const page = await openPage();

    expect(page.draftsOf('ann')).toEqual([]);
  });
});

describe('the text of an open editor', () => {
  test('that was typed while a save ran is kept, on disk too', async () => {
    const page = await openPage();
    const hand = page.open('n1');
    hand.change(fresh, { title: 'Nest', text: 'first.' });
    const asked = hand.shown(fresh);
    hand.change(fresh, { text: 'first.second.' });

    hand.keepRest(fresh, asked, asked);

    expect(hand.shown(fresh)).toEqual({ ...EMPTY_DRAFT, title: 'Nest', text: 'first.second.' });
    expect(page.draftsOf('ann').map(({ edits }) => edits)).toEqual([
      { base: asked, fields: { text: 'first.second.' } },
    ]);
  });

  test('does not jump back while the store still shows the note before the save', async () => {
    const page = await openPage();
    const hand = page.open('n1');
    const before = { draft: nest, version: {} };
    hand.change(before, { text: 'Two metres' });
    const asked = hand.shown(before);

    hand.keepRest(before, asked, asked);

    expect(hand.shown(before).text).toBe('Two metres');
    const after = { draft: { ...asked, site: 'Hangar 4' }, version: {} };
    hand.land(after);
    expect(hand.shown(after).site).toBe('Hangar 4');
    // Somebody brings the first version back: what was saved once does not hide it.
    expect(hand.shown(before).text).toBe('As found');
    expect(page.draftsOf('ann')).toEqual([]);
  });

  test('that the store says too is forgotten, and never comes back as a change', async () => {
    const page = await openPage();
    page.open('n1').change(fresh, { title: 'Nest' });
    // The page ended after the note was stored, and before its draft was forgotten.
    const stored = { draft: { ...EMPTY_DRAFT, title: 'Nest' }, version: {} };
    const again = await openPage();
    const hand = again.open('n1', NOBODY, true);

    hand.land(stored);

    expect(again.draftsOf('ann')).toEqual([]);
    expect(hand.shown({ draft: { ...nest, title: 'Theirs' }, version: {} }).title).toBe('Theirs');
  });

  test('follows the note to another id', async () => {
    const page = await openPage();
    const hand = page.open('n1');
    hand.change(fresh, { text: 'still typing' });

    hand.moveTo('n2');

    expect(page.draftsOf('ann').map(({ noteId }) => noteId)).toEqual(['n2']);
  });

  test('that was given up comes back with the note', async () => {
    const page = await openPage();
    const hand = page.open('n1');
    hand.change(fresh, { text: 'still typing' });

    const keepAfterAll = hand.forget();
    expect(page.draftsOf('ann')).toEqual([]);
    keepAfterAll();

    expect(page.open('n1').shown(fresh).text).toBe('still typing');
  });

  test('is not taken away by a save that ends after the note was opened again', async () => {
    const page = await openPage();
    const closed = page.open('n1');
    closed.change(fresh, { text: 'first.' });
    const asked = closed.shown(fresh);
    page.open('n1').change(fresh, { text: 'first.second.' });

    closed.keepRest(fresh, asked, asked);

    expect(page.open('n1').shown(fresh).text).toBe('first.second.');
  });
});
