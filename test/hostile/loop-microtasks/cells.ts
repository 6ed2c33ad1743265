// %%
async function total(numbers: readonly number[]): Promise<number> {
  for (;;) await null;
}
