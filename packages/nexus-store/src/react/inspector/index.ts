'use client';

/**
 * The inspector as a React component. Load it in development only:
 * `lazy(() => import('nexus-store/react/inspector').then((m) => ({ default: m.NexusInspector })))`.
 *
 * @module
 */
export type { InspectableRemote, NetworkCondition } from './inspectable.ts';
export { mountInspector, type InspectorOptions } from './mount-inspector.ts';
export { NexusInspector, type NexusInspectorProps } from './nexus-inspector.ts';
