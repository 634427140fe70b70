/**
 * The inspector without React, for any page.
 *
 * @module
 */
export type { InspectableRemote, NetworkCondition } from './inspectable.ts';
export { mountInspector, type InspectorOptions } from './mount-inspector.ts';
