// %%
async function total(numbers: readonly number[]): Promise<number> {
  return { then: () => undefined } as unknown as number;
}
