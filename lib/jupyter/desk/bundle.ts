/** The desk's page is made elsewhere; a copy of the project without it says so, and `npm start` falls back. */
export interface BundleOptions {
  readonly root: string;
  readonly onProgress?: (line: string) => void;
}

/** @throws always: there is no page yet */
export function bundle({ root }: BundleOptions): Promise<string> {
  return Promise.reject(new Error(`${root} has no page of its own`));
}
