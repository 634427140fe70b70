import { Component, type ReactNode } from 'react';
import { Failure } from './failure.tsx';

interface Caught {
  /** What was thrown, in a box: anything may be. */
  readonly failure: { readonly error: unknown } | null;
}

/** A screen that fails takes only itself away: what was written is on the device all the same. */
export class ErrorBoundary extends Component<{ readonly children: ReactNode }, Caught> {
  override state: Caught = { failure: null };

  static getDerivedStateFromError(error: unknown): Caught {
    return { failure: { error } };
  }

  override render(): ReactNode {
    const { failure } = this.state;
    if (failure === null) return this.props.children;
    return (
      <div className="page">
        <Failure error={failure.error} onRetry={() => this.setState({ failure: null })} />
      </div>
    );
  }
}
