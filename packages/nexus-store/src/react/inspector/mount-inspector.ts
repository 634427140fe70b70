import {
  objectWith,
  oneOf,
  requireKind,
  requireOptions,
  type Kinds,
} from '../../core/model/arguments.ts';
import { BACKEND } from '../../core/ports/kinds.ts';
import { BACKGROUND } from '../hook-arguments.ts';
import { h, patch, type VNode } from './dom.ts';
import { InspectorModel, type InspectorSources } from './model.ts';
import { STYLE } from './style.ts';
import { activityView } from './views/activity-view.ts';
import { footView, headView, metersView, tabsView } from './views/head-view.ts';
import { deadView, queueView } from './views/queue-view.ts';
import { wakeUpsView } from './views/wake-ups-view.ts';
import { whyView } from './views/why-view.ts';

export interface InspectorOptions extends InspectorSources {
  /** @defaultValue `'auto'`: as the system is set */
  readonly theme?: 'auto' | 'light' | 'dark' | undefined;
}

const HOST = objectWith('an element', 'attachShadow');

const INSPECTOR_OPTIONS: Kinds<InspectorOptions> = {
  backend: BACKEND,
  background: BACKGROUND,
  remote: objectWith('what inspectable made', 'setNetwork'),
  theme: oneOf('auto', 'light', 'dark'),
};

/** @throws UsageError `usage/invalid-argument` */
export function requireInspectorOptions(options: InspectorOptions): void {
  requireOptions('the inspector', options, INSPECTOR_OPTIONS);
  requireKind('the inspector: backend', options.backend, BACKEND);
}

/** So often what is said of time is said anew. Unit: milliseconds. */
const TICK_MS = 1_000;
/** Changes are shown this often at most: quicker than anyone reads. Unit: milliseconds. */
const FRAME_MS = 50;

/**
 * Shows the queue of a backend inside an element, in a shadow root of its own. For development: it can
 * pause, discard and switch the network off. What it reads and shows is bounded, however much waits.
 *
 * @returns how to take it away again
 * @throws UsageError `usage/invalid-argument`
 * @example
 * const unmount = mountInspector(document.body, { backend, background, remote });
 */
export function mountInspector(host: Element, options: InspectorOptions): () => void {
  requireKind('mountInspector: host', host, HOST);
  requireInspectorOptions(options);
  const root = host.shadowRoot ?? host.attachShadow({ mode: 'open' });
  const inspector = new MountedInspector(root, options);
  return () => inspector.unmount();
}

class MountedInspector {
  readonly #root: ShadowRoot;
  readonly #box: HTMLElement;
  readonly #model: InspectorModel;
  readonly #tick: ReturnType<typeof setInterval>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isUnmounted = false;

  constructor(root: ShadowRoot, options: InspectorOptions) {
    this.#root = root;
    // Not a style element: a page's content security policy may forbid those.
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    this.#box = document.createElement('div');
    this.#box.className = 'inspector';
    this.#box.dataset['theme'] = options.theme ?? 'auto';
    root.replaceChildren(this.#box);
    this.#model = new InspectorModel(options, () => this.#changed());
    this.#model.start();
    this.#tick = setInterval(() => {
      if (document.visibilityState !== 'hidden') this.#model.tick();
    }, TICK_MS);
    this.#render();
  }

  unmount(): void {
    this.#isUnmounted = true;
    clearInterval(this.#tick);
    clearTimeout(this.#timer);
    this.#model.stop();
    this.#root.replaceChildren();
  }

  /** Many changes, one frame. */
  #changed(): void {
    if (this.#timer !== undefined || this.#isUnmounted) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (!this.#isUnmounted) this.#render();
    }, FRAME_MS);
  }

  #render(): void {
    const focused = this.#root.activeElement;
    const part = focused?.closest('[data-tab]:not(.frame)');
    patch(this.#box, [viewOf(this.#model)]);
    if (focused === null || this.#root.activeElement === focused) return;
    // What had the focus is gone, such as a button of a row that left: its part takes it.
    if (focused.isConnected) (focused as HTMLElement).focus({ preventScroll: true });
    else part?.querySelector<HTMLElement>('h3')?.focus({ preventScroll: true });
  }
}

function viewOf(model: InspectorModel): VNode {
  return h(
    'div',
    { class: 'frame', role: 'region', 'aria-label': 'Sync inspector', 'data-tab': model.tab },
    headView(model),
    h('div', { class: 'top' }, metersView(model), whyView(model)),
    tabsView(model),
    h(
      'div',
      { class: 'board' },
      h('div', { class: 'column', key: 'left' }, queueView(model), deadView(model)),
      h('div', { class: 'column', key: 'right' }, activityView(model), wakeUpsView(model)),
    ),
    footView(model),
  );
}
