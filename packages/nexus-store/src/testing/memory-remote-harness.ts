import type { Remote } from '../core/ports/remote.ts';
import { deferred } from './deferred.ts';
import { memoryRemote, type MemoryRemoteOptions, type PushAnswer } from './memory-remote.ts';
import { MemoryServer } from './memory-server.ts';
import type { RemoteHarness } from './remote-suite.ts';

/**
 * For `testRemote`: a memory server of its own, and remotes to it.
 *
 * @param wrap what stands before each remote
 */
export function memoryRemoteHarness(
  options: MemoryRemoteOptions = {},
  wrap: (remote: Remote) => Remote = (remote) => remote,
): RemoteHarness {
  const server = new MemoryServer();
  let answer: () => PushAnswer = () => 'apply';
  return {
    async connect() {
      const remote = memoryRemote({ ...options, server });
      remote.answerWith(() => answer());
      return wrap(remote);
    },
    async applied(principal) {
      return server.applied.filter((mutation) => mutation.principal === principal);
    },
    hold(what) {
      const reached = deferred();
      const released = deferred();
      answer = () => {
        reached.resolve();
        if (what === 'answer') return { answerAfter: released.promise };
        return { until: released.promise, answer: 'apply' };
      };
      const release = (): void => {
        answer = () => 'apply';
        released.resolve();
      };
      return { reached: reached.promise, release };
    },
    async expireCursors() {
      server.expireCursors();
    },
    async close() {},
  };
}
