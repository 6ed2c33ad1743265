/** Chapter 11: what is foretold of the bound: who pays it for one Gaussian number, and what guesses that never change cost. */
import { expectFields, expectNumber } from '../../exercise/compare';
import type { Exercise, Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';

const chapter = '11-diffusion';

type Call = (...args: Value[]) => Promise<Value>;

// diffusion.shares

const TERMS = ['reconstruction', 'steps', 'prior'] as const;
type Shares = Record<(typeof TERMS)[number], number>;

const noiseOf = (gamma: number) => 1 / (1 + Math.exp(-gamma)); // σ²
const ENTROPY = 0.5 * Math.log(2 * Math.PI * Math.E);
const NATS = 'in nats: the natural logarithm, not that to base 2';

/** The prior and the reconstruction by their formulas; the steps are what they leave of the entropy. */
function sharesOf(gamma0: number, gamma1: number): Shares {
  const reconstruction = 0.5 * Math.log(2 * Math.PI * Math.E * noiseOf(gamma0));
  const prior = -0.5 * Math.log(noiseOf(gamma1));
  return { reconstruction, steps: ENTROPY - reconstruction - prior, prior };
}

function mistakenShares(gamma0: number, gamma1: number): Record<keyof Shares, readonly KnownMistake[]> {
  const right = sharesOf(gamma0, gamma1);
  const swapped = sharesOf(gamma1, gamma0);
  const of = (hint: string, answer: number): KnownMistake => ({ hint, answer: () => answer });
  const [first, last] = [noiseOf(gamma0), noiseOf(gamma1)];
  const fall = 0.5 * (Math.exp(-gamma0) - Math.exp(-gamma1));
  return {
    reconstruction: [
      of('the last decoder’s term: z_0 still has noise, and p(x | z_0) has to say what it hides', 0),
      of('that is the entropy of x, which all three add up to', ENTROPY),
      of('the reconstruction is at the end with the least noise, γ₀', swapped.reconstruction),
      of('the entropy of a Gaussian is ½ ln (2π e σ²): the e, from the mean square, is missing', right.reconstruction - 0.5),
      of('what z_0 leaves of x varies by σ², not by σ', 0.5 * Math.log(2 * Math.PI * Math.E * Math.sqrt(first))),
      of('−ln p, not ln p', -right.reconstruction),
      of('γ is −ln SNR, so that noise grows with it: the sign', 0.5 * Math.log(2 * Math.PI * Math.E * (1 - first))),
      of(NATS, right.reconstruction / Math.LN2),
      of('a mean square is no likelihood: p(x | z_0) has a variance of its own, σ²', 0.5 * first),
      of('the last decoder knows how sure it is: its variance is σ², not 1', 0.5 * (Math.log(2 * Math.PI) + first)),
    ],
    steps: [
      of('guesses are better than 0: the mean of (x − x̂)² at γ is σ², not 1', fall),
      of('steps are without end, and each has a guess of its own: the error at γ is σ² there, not that at the noisy end', fall * last),
      of('steps are without end, and each has a guess of its own: the error at γ is σ² there, not that at the clean end', fall * first),
      of('α², which is what ½ is multiplied by, changes on the way: an integral, not a product', 0.5 * (gamma1 - gamma0) * (1 - first)),
      of('α², which is what ½ is multiplied by, changes on the way: an integral, not a product', 0.5 * (gamma1 - gamma0) * (1 - last)),
      of(NATS, right.steps / Math.LN2),
      of('the steps are what the two ends leave of the entropy: the last decoder’s term is forgotten', ENTROPY - right.prior),
      of('the steps are what the two ends leave of the entropy: the prior’s term is forgotten', ENTROPY - right.reconstruction),
      of('½, from the squares in a Gaussian’s logarithm, is missing', 2 * right.steps),
      of('a KL is not below 0: γ runs from γ₀ up to γ₁', -right.steps),
      of('½ (γ₁ − γ₀) is the cost where noise hides x, so that errors are 1 in ε', 0.5 * (gamma1 - gamma0)),
    ],
    prior: [
      of('some signal is left at t = 1, and costs', 0),
      of('x varies, too: the mean of α² x² is α², and with σ² that is 1', 0.5 * (last - 1 - Math.log(last))),
      of('the prior is at the end with the most noise, γ₁', swapped.prior),
      of('the factor ½ of a Gaussian’s KL', 2 * right.prior),
      of(NATS, right.prior / Math.LN2),
      of('½ (α² + σ² − 1 − ln σ²): what is left is the logarithm of the noise, not of the signal', -0.5 * Math.log(1 - last)),
      of('½ ln (1 + SNR), which is ½ SNR only where that is small', 0.5 * Math.exp(-gamma1)),
      of('a KL is not below 0', -right.prior),
    ],
  };
} // prettier-ignore

export async function checkShares(call: Call, gamma0: number, gamma1: number): Promise<void> {
  const hint = 'given z, what is left of x is Gaussian of variance σ²; and the three add up to ½ ln 2πe';
  const got = expectFields(await call(gamma0, gamma1), TERMS, { what: 'the answer', hint });
  const wanted = sharesOf(gamma0, gamma1);
  const mistakes = mistakenShares(gamma0, gamma1);
  for (const term of TERMS) {
    const what = `${term} for γ from ${gamma0} to ${gamma1}`;
    const tolerance = { what, rtol: 1e-6, atol: 1e-7, hint };
    expectAnswer(expectNumber(got[term], { what, hint }), wanted[term], tolerance, mistakes[term]);
  }
}

export const shares: Exercise = {
  id: 'diffusion.shares',
  chapter,
  functionName: 'shares',
  title: 'predict: who pays the bound',
  points: 3,
  allOrNothing: true,
  hints: [
    'Nothing is lost: what do the three add up to? And how much does x vary once z_t is known?',
    'x and z_t are jointly Gaussian, both of variance 1, with correlation α_t. Given z_t, x is Gaussian of variance 1 − α_t² = σ_t²: its entropy at t = 0 is the reconstruction. At t = 1, the mean of ½ (α² x² + σ² − 1 − ln σ²) over x is the prior’s.',
    'Reconstruction ½ ln (2π e σ₀²), prior −½ ln σ₁², steps ½ ln (σ₁² / σ₀²), with σ² = 1 / (1 + e^(−γ)).',
  ],
  checks: [
    { name: 'a process from little noise to nearly nothing else', run: ({ call }) => checkShares(call, -3, 2) },
    { name: 'ends that are near each other', run: ({ call }) => checkShares(call, -1, 0.5) },
  ],
}; // prettier-ignore

// diffusion.untrained

interface Untrained {
  readonly power: number;
  readonly gamma0: number;
  readonly gammaT: number;
  readonly T: number;
}

const snr = (gamma: number) => Math.exp(-gamma);
const untrainedCost = ({ power, gamma0, gammaT }: Untrained) => 0.5 * power * (snr(gamma0) - snr(gammaT));

/** ½ E‖x‖² times the sum of what every step, from s to t, adds. */
function stepwise({ power, gamma0, gammaT, T }: Untrained, charge: (s: number, t: number) => number): number {
  const at = (i: number) => gamma0 + ((gammaT - gamma0) * i) / T;
  return 0.5 * power * Array.from({ length: T }, (_, i) => charge(at(i), at(i + 1))).reduce((a, b) => a + b);
}

const wrongCosts: readonly (readonly [hint: string, cost: (world: Untrained) => number])[] = [
  ['every step costs by how much SNR falls in it; the falls add up to that from end to end, however many there are', (w) => w.T * untrainedCost(w)],
  ['a sum over the steps, not their mean', (w) => untrainedCost(w) / w.T],
  ['½, from the squares in a Gaussian’s logarithm, is missing', (w) => 2 * untrainedCost(w)],
  ['a guess of 0 is not free: what it misses is x itself', () => 0],
  ['the last decoder is trained, but the steps before it cost what they cost: errors are ‖x‖², times the fall of SNR', (w) => 0.5 * w.power],
  ['there is still signal at the noisy end, which the steps have not paid: the difference of both ends', (w) => 0.5 * w.power * snr(w.gamma0)],
  ['the difference of two ratios, not of their logarithms', (w) => 0.5 * w.power * (w.gammaT - w.gamma0)],
  ['SNR is e^(−γ): the sign of γ', (w) => 0.5 * w.power * (Math.exp(w.gammaT) - Math.exp(w.gamma0))],
  ['SNR is α² / σ², not its square root', (w) => 0.5 * w.power * (Math.sqrt(snr(w.gamma0)) - Math.sqrt(snr(w.gammaT)))],
  ['a KL is not below 0: SNR falls from γ₀ on', (w) => -untrainedCost(w)],
  ['a guess of 0 misses x itself, not α x: errors are in units of x, whatever the noise', (w) => stepwise(w, (s, t) => (snr(s) - snr(t)) / (1 + Math.exp(t)))],
  ['T steps from γ₀ to γ_T: not one more', (w) => untrainedCost({ ...w, gammaT: w.gammaT + (w.gammaT - w.gamma0) / w.T })],
  ['T steps from γ₀ to γ_T: not one less', (w) => untrainedCost({ ...w, gammaT: w.gammaT - (w.gammaT - w.gamma0) / w.T })],
  ['T steps from γ₀ to γ_T: not one less', (w) => untrainedCost({ ...w, gamma0: w.gamma0 + (w.gammaT - w.gamma0) / w.T })],
  ['by how much SNR falls, not SNR itself', (w) => stepwise(w, (_, t) => snr(t))],
  ['that is the limit of short steps: these have a length, and cost the difference of two ratios', (w) => stepwise(w, (s, t) => snr(t) * (t - s))],
  ['E‖x‖² is squared already', (w) => w.power * untrainedCost(w)],
]; // prettier-ignore

export async function checkUntrained(call: Call, world: Untrained): Promise<void> {
  const hint = 'each step costs ½ (SNR before − SNR after) ‖x − x̂‖², and x̂ = 0';
  const { power, gamma0, gammaT, T } = world;
  const what = `the cost of ${T} steps for E‖x‖² = ${power}, γ from ${gamma0} to ${gammaT},`;
  const got = expectNumber(await call(power, gamma0, gammaT, T), { what, hint });
  const mistakes = wrongCosts.map(([told, cost]): KnownMistake => ({ hint: told, answer: () => cost(world) }));
  expectAnswer(got, untrainedCost(world), { what, rtol: 1e-5, atol: 1e-7, hint }, mistakes);
}

export const untrained: Exercise = {
  id: 'diffusion.untrained',
  chapter,
  functionName: 'neverTrained',
  title: 'predict: networks that the optimiser never sees',
  points: 2,
  allOrNothing: true,
  hints: [
    'What is ‖x − x̂‖² when the guess is 0? Is it the same at every step?',
    'Put a constant error into the cost of the steps: ½ E‖x‖² Σ (SNR of γ_{i−1} − SNR of γ_i). What is left of such a sum?',
    'Neighbours cancel: ½ E‖x‖² (e^(−γ₀) − e^(−γ_T)), for any T.',
  ],
  checks: [
    {
      name: 'one step',
      run: ({ call }) => checkUntrained(call, { power: 3, gamma0: -2, gammaT: 1, T: 1 }),
    },
    {
      name: 'more steps',
      async run({ call }) {
        await checkUntrained(call, { power: 3, gamma0: -2, gammaT: 1, T: 6 });
        await checkUntrained(call, { power: 0.5, gamma0: -0.5, gammaT: 0.25, T: 2 });
      },
    },
  ],
};
