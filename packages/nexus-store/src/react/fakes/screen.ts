import { act, createElement, Profiler, StrictMode, type ReactNode } from 'react';
import { createRoot, hydrateRoot, type Root } from 'react-dom/client';

/** A React root in a document, for tests. */
export class Screen {
  readonly box: HTMLElement = document.createElement('div');
  /** How often the tree was committed, mount included. */
  commits = 0;
  readonly #isStrict: boolean;
  #root: Root | undefined;

  /** @param isStrict effects are run twice, as React does in development */
  constructor(isStrict = false) {
    this.#isStrict = isStrict;
  }

  /** Renders, and lets effects and what they wait for happen. */
  async show(tree: ReactNode, settle: () => Promise<void> = async () => {}): Promise<void> {
    await this.do(() => {
      this.#root ??= createRoot(this.box);
      this.#root.render(this.#counted(tree));
    }, settle);
  }

  /** Takes over what a server rendered. Returns what React complained of. */
  async hydrate(html: string, tree: ReactNode, settle: () => Promise<void>): Promise<unknown[]> {
    const complaints: unknown[] = [];
    this.box.innerHTML = html;
    await this.do(() => {
      this.#root = hydrateRoot(this.box, this.#counted(tree), {
        onRecoverableError: (error) => complaints.push(error),
      });
    }, settle);
    return complaints;
  }

  async do(action: () => unknown, settle: () => Promise<void> = async () => {}): Promise<void> {
    await act(async () => {
      await action();
      await settle();
    });
  }

  get text(): string {
    return this.box.textContent ?? '';
  }

  async leave(): Promise<void> {
    const root = this.#root;
    this.#root = undefined;
    if (root !== undefined) await this.do(() => root.unmount());
  }

  #counted(tree: ReactNode): ReactNode {
    const onRender = (): void => {
      this.commits += 1;
    };
    const counted = createElement(Profiler, { id: 'screen', onRender }, tree);
    // Outermost: further in, React runs the effects of a first rendering once.
    return this.#isStrict ? createElement(StrictMode, null, counted) : counted;
  }
}

/** Renders that `act` is not told of are real ones, in slices. */
export function setActing(isActing: boolean): void {
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = isActing;
}
