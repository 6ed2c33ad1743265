// %%
async function total(numbers: readonly number[]): Promise<number> {
  for (;;) console.error('x'.repeat(65536));
}
