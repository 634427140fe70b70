import { createElement, useEffect, useRef, type CSSProperties, type ReactElement } from 'react';
import type { StoreBackend } from '../../core/store/store-backend.ts';
import { useProvided, type BackgroundSyncSource } from '../provider.ts';
import type { InspectableRemote } from './inspectable.ts';
import {
  mountInspector,
  requireInspectorOptions,
  type InspectorOptions,
} from './mount-inspector.ts';

export interface NexusInspectorProps {
  /** @defaultValue the provider's */
  readonly backend?: StoreBackend;
  /** @defaultValue the provider's, if it has one */
  readonly background?: BackgroundSyncSource;
  /** What `inspectable` made, for the network switch. */
  readonly remote?: InspectableRemote;
  readonly theme?: InspectorOptions['theme'];
  readonly className?: string;
  readonly style?: CSSProperties;
}

const FILL: CSSProperties = { height: '100%' };

/**
 * The inspector, filling its box. React only makes the place and takes it away: what is inside renders by
 * itself, so that it neither slows the app's own rendering nor falls with it.
 *
 * @throws UsageError `usage/invalid-argument` while rendering, without a backend here or in a provider, and
 *   for props that are something else
 */
export function NexusInspector(props: NexusInspectorProps): ReactElement {
  const { remote, theme, className, style = FILL } = props;
  const { backend, background } = useProvided(props);
  // While rendering, where the app's error boundary sees it.
  requireInspectorOptions({ backend, background, remote, theme });
  const host = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (host.current === null) return undefined;
    return mountInspector(host.current, { backend, background, remote, theme });
  }, [backend, background, remote, theme]);
  return createElement('div', { ref: host, className, style });
}
