/** Chapter 14, for graders: the restricted Boltzmann machine. */
import { expectClose, expectTensor } from '../../exercise/compare';
import type { Hidden } from '../../exercise/exercise';
import { matrixTensor } from '../checks/common';
import {
  bitsOf,
  checkFree,
  checkGibbs,
  checkGradient,
  machineOf,
  machineValues,
  phasesOf,
  sweepOf,
  type Machine,
} from '../checks/energy-boltzmann';

const everyX = (D: number) =>
  Array.from({ length: 2 ** D }, (_, n) => Array.from({ length: D }, (__, d) => (n >> d) & 1));

export const free: Hidden = {
  checks: [
    {
      name: 'weights of hundreds, and nine units in each layer',
      async run({ call, rng }) {
        await checkFree(call, machineOf(rng.fork('nine'), 9, 9, 0.4), bitsOf(rng, 'x', 5, 9));
        await checkFree(call, machineOf(rng.fork('large'), 4, 4, 150), bitsOf(rng, 'y', 6, 4));
      },
    },
    {
      name: 'without couplings it is b·x and a constant',
      law: true,
      async run({ call, rng }) {
        const machine: Machine = { ...machineOf(rng, 3, 4), w: [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]] };
        const { w, b, c } = machineValues(machine);
        const got = expectTensor(await call(matrixTensor(everyX(3)), w, b, c), { shape: [8] });
        const linear = matrixTensor(everyX(3)).mul(b).sum(1); // prettier-ignore
        const rest = got.sub(linear);
        expectClose(rest.sub(rest.mean()), rest.mul(0), { what: 'what is left besides b·x', atol: 1e-4 });
      },
    },
  ],
  mistakes: [
    {
      name: 'a bias exchanged',
      source: 'common: visible and hidden biases are both called b in half of the codes, and a in the other half',
      replace: 'matMul(w).add(c)',
      by: 'matMul(w).add(b.mean())',
    },
    {
      name: 'the best h',
      source: 'common: relu for softplus, the maximum over h for the sum',
      replace: 'inputs.softplus()',
      by: 'inputs.relu()',
    },
    {
      name: 'the sign of an energy',
      source: 'phlippe/uvadlc_notebooks#60: E, −E and the free energy under one name',
      replace: 'ofVisible.add(',
      by: 'ofVisible.neg().sub(',
    },
    {
      name: 'the visible bias forgotten',
      source: 'common: W and c are what one thinks of',
      replace: 'const ofVisible = x.mul(b).sum(1);',
      by: 'const ofVisible = x.mul(0).sum(1);',
    },
  ],
}; // prettier-ignore

export const gibbs: Hidden = {
  checks: [
    {
      name: 'layers of other sizes',
      sameForAll: true,
      async run({ call, rng }) {
        await checkGibbs(call, sweepOf(rng.fork('wide'), 20, 8, 2));
        await checkGibbs(call, sweepOf(rng.fork('deep'), 20, 3, 9, 0.7));
      },
    },
  ],
  mistakes: [
    {
      name: 'probabilities instead of a draw',
      source: 'common: Hinton’s guide allows it for the last visible step alone; within a chain it is no Gibbs sampling',
      replace: 'u.h.less(pHidden).toFloat()',
      by: 'pHidden',
    },
    {
      name: 'above for below',
      source: 'common: u > p',
      replace: 'u.x.less(',
      by: 'u.x.greater(',
    },
    {
      name: 'a bias for none',
      source: 'common: the bias of the way back forgotten',
      replace: 'matMul(w, false, true).add(b)',
      by: 'matMul(w, false, true)',
    },
  ],
}; // prettier-ignore

export const gradient: Hidden = {
  checks: [
    {
      name: 'one example of each kind, and many units',
      sameForAll: true,
      async run({ call, rng }) {
        await checkGradient(call, phasesOf(rng.fork('one'), 5, 3, 1, 1));
        await checkGradient(call, phasesOf(rng.fork('many'), 12, 20, 9, 30));
      },
    },
  ],
  mistakes: [
    {
      name: 'the negative phase from the data',
      source: 'common in code on contrastive divergence: the chain’s start used in place of its end',
      replace: 'const [down, hDown] = [model, means(model)];',
      by: 'const [down, hDown] = [data, means(data)];',
    },
    {
      name: 'one count for both',
      source: 'common: the batch’s size divides both sums, whatever the number of chains is',
      replace: 'const M = model.shape[0]!;',
      by: 'const M = N;',
    },
    {
      name: 'the hidden units’ input for their mean',
      source: 'common: the logit where its sigmoid belongs',
      replace: '.add(c).sigmoid()',
      by: '.add(c)',
    },
    {
      name: 'the sign',
      source: 'common: the gradient of the energy taken for that of ln p',
      replace: 'b: data.mean(0).sub(down.mean(0))',
      by: 'b: down.mean(0).sub(data.mean(0))',
    },
  ],
}; // prettier-ignore
