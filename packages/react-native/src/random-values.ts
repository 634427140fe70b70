/** What an engine may have of randomness; Expo puts `expo` there. */
export interface Engine {
  crypto?: { getRandomValues?: unknown };
  readonly expo?: { readonly uuidv4?: () => string };
}

/**
 * Hermes has no `crypto`, and its `Math.random` was never meant for keys that must not meet between devices.
 * Expo's native side makes UUIDs from the system's randomness: their random digits become
 * `crypto.getRandomValues`. What is there already stays. True if there is one afterwards.
 */
export function provideRandomValues(engine: Engine): boolean {
  if (typeof engine.crypto?.getRandomValues === 'function') return true;
  const uuid = engine.expo?.uuidv4;
  if (uuid === undefined) return false;
  const getRandomValues = <View extends ArrayBufferView>(view: View): View => {
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    for (let at = 0; at < bytes.length; at += BYTES_OF_UUID)
      bytes.set(randomBytes(uuid()).subarray(0, bytes.length - at), at);
    return view;
  };
  if (engine.crypto === undefined) engine.crypto = { getRandomValues };
  else engine.crypto.getRandomValues = getRandomValues;
  return true;
}

/** A version 4 UUID has sixteen bytes; those with version and variant are left out. */
const BYTES_OF_UUID = 14;

function randomBytes(uuid: string): Uint8Array {
  const digits = uuid.replaceAll('-', '');
  const kept = digits.slice(0, 12) + digits.slice(14, 16) + digits.slice(18);
  const bytes = new Uint8Array(BYTES_OF_UUID);
  for (let index = 0; index < BYTES_OF_UUID; index++)
    bytes[index] = Number.parseInt(kept.slice(2 * index, 2 * index + 2), 16);
  return bytes;
}
