// %%
/// <reference path='@SECRET@' />
// @ts-nocheck
async function total(numbers: readonly number[]): Promise<number> {
  const text: string = 1;
  return text;
}
