/**
 * The inspector without React, for any page.
 *
 * @module
 */
export {
  inspectable,
  type InspectableOptions,
  type InspectableRemote,
  type NetworkCondition,
} from './inspectable.ts';
export { mountInspector, type InspectorOptions } from './mount-inspector.ts';
