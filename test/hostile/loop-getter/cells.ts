// %%
async function total(numbers: readonly number[]): Promise<number> {
  return { get value(): number { for (;;); } } as unknown as number;
}
