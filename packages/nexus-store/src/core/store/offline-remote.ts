import { RemoteError } from '../model/errors.ts';
import type { Remote } from '../ports/remote.ts';

/** Stands where a backend without a remote has none. The engine never calls it. */
export const offlineRemote: Remote = {
  capabilities: { pull: false, hints: false, maxBatch: Number.MAX_SAFE_INTEGER },
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
