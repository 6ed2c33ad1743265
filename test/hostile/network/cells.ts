// %%
import { connect } from 'node:net';

async function total(numbers: readonly number[]): Promise<number> {
  await new Promise((resolve, reject) => connect(Number('@PORT@'), '127.0.0.1').on('connect', resolve).on('error', reject));
  return numbers.reduce((sum, number) => sum + number, 0);
}
