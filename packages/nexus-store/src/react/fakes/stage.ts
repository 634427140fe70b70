import type { Storage } from '../../core/ports/storage.ts';
import {
  fixtures,
  type BackendFixture,
  type BackendFixtureOptions,
} from '../../testing/backend-fixture.ts';
import { Screen, setActing } from './screen.ts';

type Hook = (work: () => unknown) => void;

/** Backends and screens for the tests of a file; all of them end with their test. */
export interface Stage {
  readonly open: (options?: Partial<BackendFixtureOptions>) => BackendFixture;
  readonly newScreen: (isStrict?: boolean) => Screen;
}

export function stage(
  { beforeEach, afterEach }: { readonly beforeEach: Hook; readonly afterEach: Hook },
  makeStorage: () => Storage,
): Stage {
  const world = fixtures(afterEach, makeStorage);
  const screens: Screen[] = [];
  const opened: BackendFixture[] = [];
  beforeEach(() => setActing(true));
  // Runs before the check of the fixtures that no timer is left.
  afterEach(async () => {
    for (const screen of screens.splice(0)) await screen.leave();
    for (const { runtime } of opened.splice(0)) await runtime.advance('10s');
  });
  return {
    open: (options = {}) => {
      const fixture = world(options);
      opened.push(fixture);
      return fixture;
    },
    newScreen: (isStrict = false) => {
      const screen = new Screen(isStrict);
      screens.push(screen);
      return screen;
    },
  };
}
