/** Chapter 10, for graders: residual posteriors, two levels in turn, and the ladder. */
import {
  checkDrawnLow,
  checkDrawnTop,
  checkResidual,
  checkSureLevels,
  residualInput,
} from '../checks/hierarchy-levels';
import { checkLadder, ladderInput } from '../checks/hierarchy-ladder';
import { matrixTensor } from '../checks/common';
import { expectClose, expectTensor } from '../../exercise/compare';
import type { Hidden } from '../../exercise/exercise';

export const residualKl: Hidden = {
  checks: [
    {
      name: 'as many latents as the digits’ second level has, and one example alone',
      sameForAll: true,
      async run({ call, rng }) {
        await checkResidual(call, residualInput(rng.fork('one'), 1, 1, 1.5), 'one number');
        await checkResidual(call, residualInput(rng.fork('many'), 5, 32, 0.7), 'the sum over the latents');
      },
    },
    {
      name: 'units do not matter: latents and their prior stretched by 3',
      sameForAll: true,
      async run({ call, rng }) {
        const input = residualInput(rng, 4, 3);
        const by = (rows: readonly (readonly number[])[], of: (v: number) => number) => rows.map((row) => row.map(of));
        await checkResidual(call, input, 'the KL has no units');
        const stretched = [by(input.shift, (v) => 3 * v), input.logScale, by(input.logVar, (v) => v + 2 * Math.log(3))];
        const once = expectTensor(await call(...[input.shift, input.logScale, input.logVar].map(matrixTensor)), { shape: [4] });
        expectClose(await call(...stretched.map(matrixTensor)), once, { what: 'the KL', rtol: 1e-4, atol: 1e-4 });
      },
    },
  ],
  mistakes: [
    {
      name: 'the prior’s scale forgotten',
      source: 'common in re-implementations of NVAE: the KL from N(0, I) of the residual parameters',
      replace: 'shift.square().div(logVar.exp())',
      by: 'shift.square()',
    },
    {
      name: 'the deviation for the variance',
      source: 'common: sigma where its square is meant',
      replace: 'logVar.exp()',
      by: 'logVar.div(2).exp()',
    },
    {
      name: 'the posterior’s scale taken for absolute',
      source: 'a re-implementation of NVAE compares N(mu, var) with N(delta_mu, delta_var), which z is not drawn from',
      replace: 'logScale.exp().sub(1)',
      by: 'logScale.sub(logVar).exp().sub(1)',
    },
    {
      name: 'summed over the batch as well',
      source: 'GlassyWing/nvae #3: torch.sum without its axes',
      replace: '.sum(1)',
      by: '.sum().mul(tf.ones([shift.shape[0]!]))',
    },
    { name: 'a mean over the latents', source: 'CAREamics #277: KLs rescaled level by level', replace: '.sum(1)', by: '.mean(1)' },
    { name: 'no ½', source: 'common: XMUDeepLIT/VNMT #5 asks of it', replace: '.div(2)', by: '' },
  ],
}; // prettier-ignore

export const terms: Hidden = {
  checks: [
    {
      name: 'as many pixels and grey levels as a digit has',
      sameForAll: true,
      run: ({ call, rng }) => checkSureLevels(call, rng, 3, { top: 12, low: 32, D: 64, V: 17 }, { spread: -38, factor: -38, reach: 0.2 }),
    },
    {
      name: 'more latents below than above, and fewer',
      sameForAll: true,
      async run({ call, rng }) {
        await checkSureLevels(call, rng.fork('more'), 2, { top: 1, low: 4, D: 5, V: 2 }, { spread: -38, factor: -38, reach: 0.5 });
        await checkSureLevels(call, rng.fork('fewer'), 4, { top: 3, low: 1, D: 3, V: 4 }, { spread: -38, factor: -38, reach: 0.5 });
      },
    },
    {
      name: 'wide posteriors, and a prior that falls with the top',
      sameForAll: true,
      async run({ call, rng }) {
        const world = { wider: 0.8, steep: -0.9, bend: 1.1 };
        await checkDrawnTop(call, rng, world);
        await checkDrawnLow(call, rng, world);
      },
    },
    {
      name: 'narrow posteriors, and a prior that hardly moves',
      sameForAll: true,
      async run({ call, rng }) {
        const world = { wider: -1.5, steep: 0.4, bend: -0.6 };
        await checkDrawnTop(call, rng, world);
        await checkDrawnLow(call, rng, world);
      },
    },
  ],
  mistakes: [
    {
      name: 'the prior at the mean of the top',
      source: 'common: mu handed on in the place of the draw; the level below then does not know what was drawn',
      replace: 'prior(z1)',
      by: 'prior(q.mu)',
    },
    {
      name: 'the top drawn twice',
      source: 'RuiShu/one-bit-vae #1 tries it: a KL at another draw than the decoder’s',
      replace: 'prior(z1)',
      by: "prior(drawn(q.mu, q.logVar, rng.fork('again')))",
    },
    {
      name: 'the same noise for both levels',
      source: 'common: a stream of noise not forked',
      replace: "rng.fork('low')",
      by: "rng.fork('top')",
    },
    {
      name: 'the posterior of the level below without its prior',
      source: 'common: shift taken for the mean, so that training and sampling use different levels',
      replace: 'p.mu.add(q.shift)',
      by: 'q.shift',
    },
    {
      name: 'the prior’s scale not in the draw',
      source: 'a re-implementation of NVAE: delta_log_var for the log-variance of the draw',
      replace: 'p.logVar.add(q.logScale)',
      by: 'q.logScale',
    },
    {
      name: 'the KL of the top left out',
      source: 'common: a loop over the levels that have a network for their prior',
      replace: 'klNormal(q.mu, q.logVar)',
      by: 'tf.zeros([x.shape[0]!])',
    },
    {
      name: 'the prior’s scale forgotten in the KL',
      source: 'common in re-implementations of NVAE',
      replace: 'residualKl(q.shift, q.logScale, p.logVar)',
      by: 'klNormal(q.shift, q.logScale)',
    },
    {
      name: 'the variance for the deviation',
      source: 'intro_dgm’s priors, wiseodd/generative-models: exp(logVar) times the noise',
      replace: 'logVar.div(2).exp()',
      by: 'logVar.exp()',
    },
    {
      name: 'one draw for all latents of a level',
      source: 'common: noise of one column, which broadcasts; the bound is then that of no q',
      replace: 'noise.normal(mu.shape)',
      by: 'noise.normal([mu.shape[0]!, 1])',
    },
    {
      name: 'one draw for all of the batch',
      source: 'common: noise of the shape of one example, which broadcasts',
      replace: 'noise.normal(mu.shape)',
      by: 'noise.normal([1, mu.shape[1]!])',
    },
  ],
}; // prettier-ignore

export const ladder: Hidden = {
  checks: [
    {
      name: 'other examples, and more latents',
      sameForAll: true,
      async run({ call, rng }) {
        await checkLadder(call, ladderInput(rng.fork('one'), 1, 5), 'the KL of what z is drawn from');
        await checkLadder(call, ladderInput(rng.fork('many'), 6, 12), 'the KL of what z is drawn from');
      },
    },
    {
      name: 'a prior that knows nothing leaves all to the encoder',
      run: ({ call }) =>
        checkLadder(call, { encoder: { mu: [[1], [-2]], logVar: [[-0.5], [0.7]] }, prior: { mu: [[0], [4]], logVar: [[13], [13]] } }, 'q is then what the encoder says'),
    },
  ],
  mistakes: [
    {
      name: 'as given: the KL to what the encoder says',
      source: 'AntixK/PyTorch-VAE #25: the KL of a ladder’s level is taken to the encoder’s Gaussian, and not to the prior',
      replace: 'klTo(muP, logVarP)',
      by: 'klTo(muE, logVarE)',
    },
    {
      name: 'half of it mended',
      source: 'common: the mean replaced, and the variance not',
      replace: 'klTo(muP, logVarP)',
      by: 'klTo(muP, logVarE)',
    },
    {
      name: 'the KL to a prior at 0',
      source: 'common: the prior given the levels above taken for the one of the top',
      replace: 'mu.sub(m).square()',
      by: 'mu.square()',
    },
    {
      name: 'the other way round',
      source: 'common: KL[p ‖ q]',
      replace: 'ratio.exp().sub(1).sub(ratio)',
      by: 'ratio.neg().exp().sub(1).add(ratio)',
    },
  ],
}; // prettier-ignore
