/** Chapter 3, for graders: how many components, and what a component on a single point is worth. */
import { checkCollapse, checkTrapped } from '../checks/mixture-choice';
import type { Check, Hidden, Mistake } from '../../exercise/exercise';

const chooseComponentsChecks: readonly Check[] = [
  {
    name: 'another unit and another zero of the losses change no choice',
    async run({ call, rng }) {
      for (const [list, [unit, zero]] of ([[1, 0], [1 / Math.LN2, -200], [1000, 1e6]] as const).entries())
        await checkTrapped(call, rng.fork(`list ${list}`), 3, unit, zero);
    }, // prettier-ignore
  },
  {
    name: 'agrees with the rule among a hundred models',
    run: ({ call, rng }) => checkTrapped(call, rng, 95),
  },
];

const chooseComponentsMistakes: readonly Mistake[] = [
  {
    name: 'chooses by the training likelihood',
    source: 'common: it always prefers the largest model',
    replace: 'b.validation < a.validation ? b : a',
    by: 'b.train < a.train ? b : a',
  },
  {
    name: 'takes the lowest validation loss',
    source: 'common: noise of the measurement taken for merit',
    replace: 'best.validation + best.standardError',
    by: 'best.validation',
  },
  {
    name: 'takes the largest model within the limit',
    source: 'common: the rule is there to prefer the simplest',
    replace: 'Math.min(',
    by: 'Math.max(',
  },
  {
    name: 'each model gets its own standard error',
    source: 'common: a badly measured model then looks good',
    replace: 'c.validation <= limit',
    by: 'c.validation <= best.validation + c.standardError',
  },
];

const collapseGainChecks: readonly Check[] = [
  {
    name: 'a line, pictures, another factor, and nobody alone',
    async run({ call }) {
      await checkCollapse(call, { points: 7, alone: 3, D: 1, factor: 100 });
      await checkCollapse(call, { points: 50, alone: 20, D: 784, factor: 2 });
      await checkCollapse(call, { points: 12, alone: 0, D: 3, factor: 10 });
    },
  },
];

const collapseGainMistakes: readonly Mistake[] = [
  {
    name: 'the gain of the points that are alone, not the average',
    source: 'common: nats of a point against nats per point',
    replace: '(alone / points) * ',
    by: '',
  },
  {
    name: 'a factor of σ in place of σ²',
    source: 'common: the floor is under the variance',
    replace: '(D / 2)',
    by: 'D',
  },
  {
    name: 'one dimension',
    source: 'common: a density in D dimensions has D standard deviations in its denominator',
    replace: '(D / 2)',
    by: '(1 / 2)',
  },
];

export const chooseComponents: Hidden = { checks: chooseComponentsChecks, mistakes: chooseComponentsMistakes };
export const collapseGain: Hidden = { checks: collapseGainChecks, mistakes: collapseGainMistakes };
