// %%
import secret from 'file://@SECRET@';

async function total(numbers: readonly number[]): Promise<number> {
  return secret;
}
