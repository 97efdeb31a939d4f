/** A path of this shop to go on to: what was asked for where it is one, else the first page. */
export function localPath(wanted: string | null): string {
  return wanted && /^\/(?![/\\])/.test(wanted) ? wanted : '/';
}

/** The secret that an e-mail's link carries behind the #, where no server and no log sees it. */
export function fragmentToken(hash: string): string {
  return new URLSearchParams(hash.replace(/^#/, '')).get('token') ?? '';
}
