// %%
async function total(numbers: readonly number[]): Promise<number> {
  throw new Proxy(new Error('?'), {
    get() {
      throw new Error('!');
    },
  });
}
