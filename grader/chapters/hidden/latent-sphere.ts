/** Chapter 8, for graders: the von Mises–Fisher distribution. */
import { direction, drawn, expectAcross, expectCosines } from '../checks/latent-sphere';
import { matrixTensor } from '../checks/common';
import { expectClose, expectTrue } from '../../exercise/compare';
import type { Hidden } from '../../exercise/exercise';

export const sphere: Hidden = {
  checks: [
    {
      name: 'sixteen dimensions, and a very narrow one',
      sameForAll: true,
      async run({ call, rng }) {
        for (const [L, kappa] of [[16, 20], [4, 150], [2, 8]] as const) {
          const mu = direction(rng.fork(`${L}`), L);
          const rows = await drawn(call, rng.fork(`draws ${L}`), mu, kappa);
          expectCosines(rows, mu, kappa);
          expectAcross(rows, mu);
        }
      },
    },
    {
      name: 'the same rng gives the same draws, another one gives others; one draw alone',
      sameForAll: true,
      async run({ call, rng }) {
        const mu = direction(rng, 5);
        const first = await drawn(call, rng.fork('one'), mu, 4, 20);
        expectClose(matrixTensor(await drawn(call, rng.fork('one'), mu, 4, 20)), matrixTensor(first), { what: 'the draws', hint: 'take all randomness from rng' });
        const other = await drawn(call, rng.fork('two'), mu, 4, 20);
        expectTrue(other.some((row, n) => row.some((v, d) => v !== first[n]![d])), 'other draws from another rng', 'the same ones');
        await drawn(call, rng.fork('alone'), mu, 4, 1);
      },
    },
  ],
  mistakes: [
    {
      name: 'the sphere of three dimensions everywhere',
      source: 'the closed form of L = 3, used for any L',
      replace: 'Math.sin(t) ** (L - 2)',
      by: 'Math.sin(t)',
    },
    {
      name: 'the exponent of the cosine’s density',
      source: 'Wood (1994) and s-vae write the density of w = cos t, whose exponent is (L − 3)/2 of 1 − w²',
      replace: '(L - 2)',
      by: '(L - 3)',
    },
    {
      name: 'a wrong radius',
      source: 'common: the direction across is not brought to length 1',
      replace: 'across.div(across.norm(2, 1, true))',
      by: 'across.div(Math.sqrt(L - 1))',
    },
    {
      name: 'a direction that is not across',
      source: 'common: the projection left out, so that z is off the sphere',
      replace: 'noise.sub(along.mul(mu))',
      by: 'noise.sub(along.mul(mu).mul(0))',
    },
    {
      name: 'quantiles in order for angles',
      source: 'common: an even grid through the inverse distribution function, in place of uniform draws',
      replace: "Array.from(rng.fork('angle').uniform([count]).dataSync(), (u) => {",
      by: 'Array.from({ length: count }, (_, n) => (n + 0.5) / count).map((u) => {',
    },
    {
      name: 'away from mu',
      source: 'common: a sign, as in the order of the grid',
      replace: 'kappa * (Math.cos(t) - 1)',
      by: '-kappa * (Math.cos(t) + 1)',
    },
    {
      name: 'a Gaussian brought to length 1',
      source: 'common: another distribution, near the right one only for large κ',
      replace: 'return t.cos().mul(mu).add(t.sin().mul(direction));',
      by: 'const near = mu.mul(Math.sqrt(kappa)).add(noise);\n  return near.div(near.norm(2, 1, true));',
    },
  ],
}; // prettier-ignore
