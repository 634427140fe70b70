import type { PullPage } from '../core/ports/remote.ts';
import type { BackendFixture } from './backend-fixture.ts';

/** Runs `meanwhile` while each page that the fixture fetched is on its way. Returns how many there were. */
export function whilePagesTravel(
  { remote }: BackendFixture,
  meanwhile: (number: number) => Promise<unknown>,
  arrive: (page: PullPage) => PullPage = (page) => page,
): () => number {
  const pull = remote.pull.bind(remote);
  let requests = 0;
  remote.pull = async (request, context) => {
    const page = await pull(request, context);
    requests += 1;
    await meanwhile(requests);
    return arrive(page);
  };
  return () => requests;
}

/** The same for the first page alone. */
export function whileFirstPageTravels(
  fixture: BackendFixture,
  meanwhile: () => Promise<unknown>,
): () => number {
  return whilePagesTravel(fixture, async (number) => {
    if (number === 1) await meanwhile();
  });
}
