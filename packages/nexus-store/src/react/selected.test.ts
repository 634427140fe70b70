// @vitest-environment happy-dom
import { createElement, memo, useEffect, useState, type FunctionComponent } from 'react';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { memoryStorage } from '../storage/memory/index.ts';
import { stage } from './fakes/stage.ts';
import { NexusProvider } from './provider.ts';
import { useSyncStatus } from './use-sync.ts';

const { open, newScreen } = stage({ beforeEach, afterEach }, () => memoryStorage());

interface Facts {
  readonly isOpen: boolean;
  readonly critical: number;
}

/** A component that renders for reasons of its own, with its selector written where it is used. */
async function shown(isStrict: boolean) {
  const fixture = open();
  const renders: Facts[] = [];
  const effects: Facts[] = [];
  let again = (): void => {};
  const Child = memo(({ facts }: { readonly facts: Facts }) => {
    renders.push(facts);
    return null;
  });
  const Parent: FunctionComponent = () => {
    const [, count] = useState(0);
    again = () => count((before) => before + 1);
    const facts = useSyncStatus(({ phase, pending }) => ({
      isOpen: phase !== 'closed',
      critical: pending.critical,
    }));
    useEffect(() => void effects.push(facts), [facts]);
    return createElement(Child, { facts });
  };
  const screen = newScreen(isStrict);
  const settle = (): Promise<void> => fixture.runtime.advance(100);
  await screen.show(
    createElement(NexusProvider, { backend: fixture.backend }, createElement(Parent)),
    settle,
  );
  await screen.do(() => fixture.backend.open(), settle);
  return { fixture, screen, settle, renders, effects, again: () => again() };
}

describe.each([false, true])('what a selector makes (strict: %s)', (isStrict) => {
  test('is the same object while it says the same, whatever else renders', async () => {
    const { screen, settle, renders, effects, again } = await shown(isStrict);
    const [before, begun] = [renders.length, effects.length];

    await screen.do(again, settle);
    await screen.do(again, settle);

    expect([renders.length, effects.length]).toEqual([before, begun]);
  });

  test('is another one once it says something else', async () => {
    const { fixture, screen, settle, effects, again } = await shown(isStrict);
    const begun = effects.length;
    await screen.do(again, settle);

    await screen.do(
      () => fixture.notes.save({ id: 'a' }, { priority: 'critical' }),
      () => fixture.settle(),
    );
    await screen.do(again, settle);

    expect(effects.slice(begun)).toEqual([{ isOpen: true, critical: 1 }]);
  });
});
