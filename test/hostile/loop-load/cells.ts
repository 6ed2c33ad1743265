// %%
const forever = (() => {
  for (;;);
})();

async function total(numbers: readonly number[]): Promise<number> {
  return forever;
}
