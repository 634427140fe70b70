/** The result of a request. A transaction that is aborted fails its requests, so this always settles. */
export function resultOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new DOMException('', 'UnknownError'));
  });
}

/**
 * The results of several requests of one transaction. They are served in the order they were made, so only
 * the last one needs handlers: what the others have is there when it succeeds, and if one of them fails
 * the transaction is aborted and the last one fails as well.
 */
export async function resultsOf<T>(requests: readonly IDBRequest<T>[]): Promise<T[]> {
  const last = requests.at(-1);
  if (last === undefined) return [];
  await resultOf(last);
  return requests.map((request) => request.result);
}
