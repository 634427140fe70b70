import { Component, type ReactNode } from 'react';
import { Failure } from './failure.tsx';

export interface ErrorBoundaryProps {
  readonly children: ReactNode;
  /** @defaultValue shows the children again */
  readonly onRetry?: () => void;
}

interface Caught {
  /** What was thrown, in a box: anything may be. */
  readonly failure: { readonly error: unknown } | null;
}

/** A screen that fails takes only itself away: what was written is on the device all the same. */
export class ErrorBoundary extends Component<ErrorBoundaryProps, Caught> {
  override state: Caught = { failure: null };

  static getDerivedStateFromError(error: unknown): Caught {
    return { failure: { error } };
  }

  override render(): ReactNode {
    const { failure } = this.state;
    const { children, onRetry = () => this.setState({ failure: null }) } = this.props;
    if (failure === null) return children;
    return (
      <div className="page">
        <Failure error={failure.error} onRetry={onRetry} />
      </div>
    );
  }
}
