import { scriptIn } from 'browser-harness';
import { atLeast, type BenchCase, type Figure, type Subject } from '../harness/bench-case.ts';
import { openBrowserPage } from './browser-page.ts';
import type { Speed } from './measured.ts';

/** `bench/peers/browser/peers.js`, which has no types. */
interface PeerPage {
  peerConcurrentSaves(peer: string, count: number): Promise<Speed>;
  peerSequentialSaves(peer: string, count: number): Promise<Speed>;
}

interface Peer {
  readonly key: string;
  /** With what it does less than ours. */
  readonly title: string;
  /** How many times faster ours has to be: concurrent saves, sequential ones. */
  readonly bars: readonly [concurrent: number | undefined, sequential: number | undefined];
}

const PEERS: readonly Peer[] = [
  { key: 'dexie', title: 'Dexie alone, document and queue row', bars: [undefined, undefined] },
  { key: 'rxdb', title: 'RxDB, Dexie storage (no queue row)', bars: [8, undefined] },
  { key: 'pouchdb', title: 'PouchDB (no queue row)', bars: [undefined, undefined] },
  { key: 'tanstack', title: 'TanStack, until in the outbox (no document)', bars: [4, undefined] },
  { key: 'workbox', title: 'workbox (no document)', bars: [8, undefined] },
];

type Kind = 'concurrent' | 'sequential';

/**
 * Other libraries in the same page, in turn with ours. All of them take the browser's default durability,
 * which is relaxed in Chromium. Ours is strict where saves share commits, since that costs nothing there,
 * and relaxed as well where each waits for its own.
 */
export const BROWSER_PEER_CASES: readonly BenchCase[] = [
  saves('concurrent', '2,000 concurrent saves', 2000),
  saves('sequential', 'sequential awaited saves', 200),
];

function saves(kind: Kind, title: string, full: number): BenchCase {
  return {
    name: `browser-peers-${kind}-saves`,
    group: 'browser-peers',
    needsBrowser: true,
    setUp: async (setting) => {
      const count = setting.size(full, 20);
      const opened = await openBrowserPage({
        scripts: { '/peers.js': new URL('../../peers/browser/peers.js', import.meta.url) },
      });
      const { ours } = opened;
      const peers = scriptIn<PeerPage>(opened.page, '/peers.js');
      const measure = (peer: string): Promise<Speed> =>
        kind === 'concurrent'
          ? peers.peerConcurrentSaves(peer, count)
          : peers.peerSequentialSaves(peer, count);
      const own = (): Promise<Speed> =>
        kind === 'concurrent'
          ? ours.ourConcurrentSaves(count, 'strict')
          : ours.ourSequentialSaves(count, 'relaxed');
      return {
        subjects: [
          subject('ours', own),
          ...PEERS.map(({ key }) => subject(key, () => measure(key))),
        ],
        figures: PEERS.map((peer) => versus(title, kind, peer)),
        warmUps: 1,
        close: () => opened.close(),
      };
    },
  };
}

function subject(name: string, measure: () => Promise<Speed>): Subject {
  return { name, measure: async () => ({ ...(await measure()) }) };
}

function versus(title: string, kind: Kind, { key, title: peer, bars }: Peer): Figure {
  const bar = bars[kind === 'concurrent' ? 0 : 1];
  return {
    title: `Chromium: ${title}, ${kind === 'concurrent' ? 'strict' : 'relaxed'} / ${peer}`,
    unit: 'saves/s',
    ours: ['ours', 'perSecond'],
    reference: [key, 'perSecond'],
    ...(bar !== undefined && { bar: atLeast(bar) }),
  };
}
