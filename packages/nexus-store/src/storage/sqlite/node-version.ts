/** True on Node of this version or newer; false where there is no Node at all. */
export function isNodeAtLeast(major: number, minor: number): boolean {
  const [foundMajor = 0, foundMinor = 0] = (nodeVersion() ?? '0').split('.').map(Number);
  return foundMajor > major || (foundMajor === major && foundMinor >= minor);
}

/** True if native modules that are made for this version of Node-API can be loaded. */
export function hasNodeApi(version: number): boolean {
  return typeof process === 'object' && Number(process.versions?.['napi'] ?? 0) >= version;
}

/** What to call this runtime in a message. */
export function nodeName(): string {
  const version = nodeVersion();
  return version === undefined ? 'not Node' : `Node ${version}`;
}

function nodeVersion(): string | undefined {
  return typeof process === 'object' ? process.versions?.node : undefined;
}
