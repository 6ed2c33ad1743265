/** Chapter 14, for graders: annealed importance sampling. */
import { expectClose, expectFields, expectNumber } from '../../exercise/compare';
import type { Hidden } from '../../exercise/exercise';
import { matrixTensor } from '../checks/common';
import { checkAnneal, checkChains, gainsOf } from '../checks/energy-annealing';

export const anneal: Hidden = {
  checks: [
    {
      name: 'weights that underflow, and a single step',
      sameForAll: true,
      async run({ call, rng }) {
        await checkAnneal(call, gainsOf(rng.fork('low'), 6, 30, { level: -800, logZ0: 13 }));
        await checkAnneal(call, gainsOf(rng.fork('one'), 1, 8, { logZ0: -3 }));
      },
    },
    {
      name: 'twice the chains, each once more: the same ln Z, and a smaller error',
      law: true,
      async run({ call, rng }) {
        const { gains, logZ0 } = gainsOf(rng, 4, 10);
        const fieldsOf = async (rows: typeof gains) => expectFields(await call(matrixTensor(rows), logZ0), ['logZ', 'error']);
        const [one, two] = [await fieldsOf(gains), await fieldsOf(gains.map((row) => [...row, ...row]))];
        expectClose(expectNumber(two.logZ), expectNumber(one.logZ), { what: 'ln Z of the same weights twice', atol: 1e-3 });
        expectClose(expectNumber(two.error) / expectNumber(one.error), Math.sqrt((0.5 * 9) / 9.5), { what: 'the ratio of the errors', rtol: 0.02 });
      },
    },
  ],
  mistakes: [
    {
      name: 'the mean of the logs',
      source: 'the plan’s list of known bugs: ln w averaged, which is below ln Z however many chains there are',
      replace: 'const logZ = logMeanExp(logW, 0);',
      by: 'const logZ = logW.mean();',
    },
    {
      name: 'ln Z₀ forgotten',
      source: 'common: the weights are of Z / Z₀',
      replace: 'gains.sum(0).add(logZ0)',
      by: 'gains.sum(0)',
    },
    {
      name: 'the spread of the logs',
      source: 'common: the deviation of ln w over √M as the error, however wide that is',
      replace: 'const w = logW.sub(logW.max()).exp();',
      by: 'const w = logW.sub(logW.max()).add(1);',
    },
    {
      name: 'the error of one weight',
      source: 'common: a standard deviation where a standard error is meant',
      replace: 'Math.sqrt(variance / M)',
      by: 'Math.sqrt(variance)',
    },
  ],
}; // prettier-ignore

export const chains: Hidden = {
  checks: [
    {
      name: 'hardly any spread, and much',
      async run({ call }) {
        await checkChains(call, 0.1, 0.01);
        await checkChains(call, 1.1, 0.03);
        await checkChains(call, 3, 0.5);
      },
    },
  ],
  mistakes: [
    {
      name: 'the variance of the logs',
      source: 'common: the delta method taken where s is not small',
      replace: 'Math.exp(s ** 2) - 1',
      by: 's ** 2',
    },
    {
      name: 'the second moment',
      source: 'common: E w² for the variance',
      replace: 'Math.exp(s ** 2) - 1',
      by: 'Math.exp(s ** 2)',
    },
    {
      name: 'error once',
      source: 'common: errors taken to fall as 1/M',
      replace: 'error ** 2',
      by: 'error',
    },
  ],
}; // prettier-ignore
