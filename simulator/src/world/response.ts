import type { SeededRandom } from 'nexus-store/testing';
import type { Answer } from './server.ts';

/**
 * A `Response` with the parts that are read of one. The platform's own costs more than everything else
 * in a run together.
 *
 * @param isCut the connection breaks in the middle of the body
 */
export function simulatedResponse(answer: Answer, isCut: boolean, random: SeededRandom): Response {
  const { status, headers, body } = answer;
  const bytes = new TextEncoder().encode(body);
  const chunks = isCut ? [bytes.slice(0, random.integer(bytes.length + 1))] : [bytes];
  const read = async (): Promise<{ done: boolean; value: Uint8Array | undefined }> => {
    const value = chunks.shift();
    if (value === undefined && isCut) throw new TypeError('terminated');
    return { done: value === undefined, value };
  };
  const cancel = async (): Promise<void> => {};
  return {
    ok: status >= 200 && status < 300,
    status,
    headers: { get: (name: string) => headers[name.toLowerCase()] ?? null },
    body: { getReader: () => ({ read, cancel }), cancel },
  } as unknown as Response;
}
