/** The name of the work that `defineBackgroundSync` takes unless the app says another. */
export const DEFAULT_ID = 'nexus-store.sync';

const FIELDS = new Set(['id', 'backgroundModes']);
const MODES = ['fetch', 'processing'];

/**
 * What an app may say in app.json.
 *
 * @typedef {object} PluginOptions
 * @property {string} [id] the `id` of `defineBackgroundSync`; default `nexus-store.sync`
 * @property {('fetch' | 'processing')[]} [backgroundModes] default both: `fetch` for short runs, `processing`
 *   for those that what waits deserves
 */

/**
 * @param {PluginOptions | void} given
 * @returns {Required<PluginOptions>}
 */
export function checkedOptions(given) {
  const options = given ?? {};
  const unknown = Object.keys(options).find((field) => !FIELDS.has(field));
  if (unknown !== undefined) fail(`${unknown} is not an option`);
  const { id = DEFAULT_ID, backgroundModes = MODES } = options;
  if (typeof id !== 'string' || !/^[A-Za-z0-9.-]+$/.test(id))
    fail('id must be letters, digits, dots and hyphens');
  const isModes =
    Array.isArray(backgroundModes) && backgroundModes.every((mode) => MODES.includes(mode));
  if (!isModes || backgroundModes.length === 0)
    fail(`backgroundModes must be some of ${MODES.join(', ')}`);
  return { id, backgroundModes: /** @type {('fetch' | 'processing')[]} */ (backgroundModes) };
}

/**
 * The identifiers of the requests that a service has pending at most.
 *
 * @param {string} id
 */
export const identifiersOf = (id) => [id, `${id}.soon`, `${id}.critical`];

/**
 * Info.plist as background sync needs it; what is there stays, and a second time changes nothing.
 *
 * @param {Record<string, any>} plist
 * @param {Required<PluginOptions>} options
 */
export function withSync(plist, { id, backgroundModes }) {
  const identifiers = identifiersOf(id);
  // Identifiers of an earlier id are ours too, and go.
  const before = plist['NexusStoreSyncIdentifiers'] ?? [];
  const others = (plist['BGTaskSchedulerPermittedIdentifiers'] ?? []).filter(
    (/** @type {string} */ one) => !before.includes(one),
  );
  return {
    ...plist,
    UIBackgroundModes: union(plist['UIBackgroundModes'], backgroundModes),
    BGTaskSchedulerPermittedIdentifiers: union(others, identifiers),
    NexusStoreSyncIdentifiers: identifiers,
  };
}

/**
 * @param {string[] | undefined} list
 * @param {readonly string[]} more
 */
const union = (list, more) => [...new Set([...(list ?? []), ...more])];

/**
 * @param {string} message
 * @returns {never}
 */
function fail(message) {
  throw new TypeError(`@nexus-store/react-native: ${message}`);
}
