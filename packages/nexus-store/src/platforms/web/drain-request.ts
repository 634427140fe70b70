/** What a page that goes tells its service worker, where the browser has no sync events. */
export interface DrainRequest {
  readonly type: 'nexus-store:drain';
  /** The id of the service. */
  readonly id: string;
}

/** True for a request to the service of this id. */
export function isDrainRequest(message: unknown, id: string): message is DrainRequest {
  if (typeof message !== 'object' || message === null) return false;
  const { type, id: asked } = message as Partial<DrainRequest>;
  return type === 'nexus-store:drain' && asked === id;
}
