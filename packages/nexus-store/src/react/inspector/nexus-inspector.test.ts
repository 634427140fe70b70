// @vitest-environment happy-dom
import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import { answers, fixtures } from '../../testing/backend-fixture.ts';
import { NexusProvider } from '../provider.ts';
import { Screen, setActing } from '../fakes/screen.ts';
import { h, patch } from './dom.ts';
import { InspectorModel } from './model.ts';
import { NexusInspector } from './nexus-inspector.ts';

const world = fixtures(afterEach, () => memoryStorage());

beforeEach(() => setActing(true));

test('the inspector shows the queue in a shadow root, and leaves nothing running behind', async () => {
  const fixture = world();
  const { backend, notes, remote } = fixture;
  await notes.save({ id: 'bridge-88' }, { priority: 'critical' });
  const stopped = vi.fn();
  const on = backend.on.bind(backend);
  backend.on = (listener) => {
    const stop = on(listener);
    return () => {
      stop();
      stopped();
    };
  };
  const screen = new Screen(true);
  document.body.append(screen.box);
  const tree = createElement(
    NexusProvider,
    { backend },
    createElement(NexusInspector, { theme: 'dark' }),
  );

  await screen.show(tree);
  const root = screen.box.querySelector('div')?.shadowRoot;
  await vi.waitFor(async () => {
    await fixture.runtime.advance(50);
    expect(root?.textContent).toContain('notes/bridge-88');
  });
  const text = root?.textContent ?? '';
  const theme = root?.querySelector('[data-theme]')?.getAttribute('data-theme');
  const listensBefore = stopped.mock.calls.length;
  await screen.leave();

  expect(theme).toBe('dark');
  expect(text).toContain('notes/bridge-88');
  expect(text).toContain('Critical');
  // Strict mode mounted it twice, and took the first one away.
  expect([listensBefore, stopped.mock.calls.length]).toEqual([1, 2]);
  expect(remote.attempts).toEqual([]);
});

test('the next user sees nothing of the queue of the one before, not even until it was read again', async () => {
  const fixture = world();
  const { backend, notes } = fixture;
  await backend.signIn('ann');
  await notes.save({ id: 'of-ann' });
  const model = new InspectorModel({ backend }, () => {});
  model.start();
  await vi.waitFor(() => expect(JSON.stringify(model.picture)).toContain('of-ann'));

  await backend.signIn('bob');
  const atOnce = model.picture;
  await notes.save({ id: 'of-bob' });
  await vi.waitFor(() => expect(JSON.stringify(model.picture)).toContain('of-bob'));
  model.stop();

  expect(atOnce).toBeUndefined();
  expect(JSON.stringify(model.picture)).not.toContain('of-ann');
});

test('the next user sees nothing of what happened to the one before, nor reports it', async () => {
  const fixture = world();
  const { backend, notes, remote } = fixture;
  await backend.signIn('ann');
  const model = new InspectorModel({ backend }, () => {});
  model.start();
  remote.answerNext(answers.rejected(422));
  const { entry } = await notes.save({ id: 'of-ann' });
  await fixture.wait(backend.sync());
  await model.attempt(async () => `${entry?.id} is discarded.`);
  const before = JSON.stringify([model.activity.newest(50), model.message]);

  await backend.signIn('bob');
  const after = JSON.stringify([model.activity.newest(50), model.message]);
  const pulses = model.activity.pulses(model.now).filter(({ buried }) => buried > 0);
  const report = await model.report();
  model.stop();

  expect(before).toContain('of-ann');
  expect(before).toContain('is discarded');
  expect(after).not.toContain('ann');
  expect(pulses).toEqual([]);
  expect(report).not.toContain('ann');
});

test('on a server the inspector is an empty box', () => {
  const { backend } = world();

  const html = renderToString(createElement(NexusInspector, { backend }));

  expect(html).toBe('<div style="height:100%"></div>');
});

test('what stays on the screen stays the same node, with its focus, whatever comes and goes around it', () => {
  const box = document.createElement('div');
  document.body.append(box);
  const show = (...keys: string[]): void =>
    patch(
      box,
      keys.map((key) => h('p', { key }, h('button', { type: 'button' }, key))),
    );
  show('a', 'b', 'c');
  const [, before] = box.querySelectorAll('button');
  before?.focus();

  show('new', 'b', 'd');
  const after = box.querySelectorAll('button')[1];

  expect(after).toBe(before);
  expect(document.activeElement).toBe(before);
  expect(box.textContent).toBe('newbd');
});

test('handlers, attributes and properties follow what is wanted', () => {
  const box = document.createElement('div');
  const clicks: string[] = [];
  const show = (name: string, isOn: boolean): void =>
    patch(box, [
      h('label', { class: name, title: isOn && 'on' }, name, ' ', 3),
      h('input', { type: 'checkbox', checked: isOn, onclick: () => clicks.push(name) }),
    ]);
  show('one', true);
  const input = box.querySelector('input');
  input?.click();
  show('two', true);
  input?.click();
  show('three', false);

  expect(clicks).toEqual(['one', 'two']);
  expect(input?.checked).toBe(false);
  expect(box.innerHTML).toBe('<label class="three">three 3</label><input type="checkbox">');
});
