/** Each device has a user of its own. */
export function tokenOf(device: number): string {
  return `token-${device}`;
}

export function userOfToken(token: string): string | null {
  return token.startsWith('token-') ? token.replace('token-', 'user-') : null;
}
