import { RemoteError } from '../model/errors.ts';
import type { Remote } from '../ports/remote.ts';

/** The remote of a backend without one: nothing is ever reached, everything stays queued. */
export const offlineRemote: Remote = {
  capabilities: { pull: false, hints: false, maxBatch: 1 },
  push: async (batch, { now }) =>
    batch.map(() => ({
      kind: 'retry',
      scope: 'endpoint',
      ambiguous: false,
      failure: { code: 'remote/offline', detail: 'this backend has no remote', at: now },
    })),
  pull: async () => {
    throw new RemoteError('remote/offline', 'this backend has no remote');
  },
  listen: async () => {},
  close: async () => {},
};
