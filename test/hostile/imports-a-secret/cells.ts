// %%
import secret from '@SECRET@';

async function total(numbers: readonly number[]): Promise<number> {
  return secret;
}
