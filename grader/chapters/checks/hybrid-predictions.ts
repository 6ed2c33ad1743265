/** Chapter 13, predictions: where a blend ends up between its two halves, and how surprising data without surprises are. */
import { expectFields, expectNumber } from '../../exercise/compare';
import type { Exercise, Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';

const chapter = '13-hybrid';

type Call = (...args: Value[]) => Promise<Value>;
type Numbers<Field extends string> = Readonly<Record<Field, number>>;
type Slips<Field extends string, Input> = Readonly<Record<Field, readonly (readonly [hint: string, of: (input: Input) => number])[]>>; // prettier-ignore

async function checkFields<Field extends string, Input>(
  call: () => Promise<Value>,
  input: Input,
  right: Numbers<Field>,
  { said, hint, slips }: { readonly said: string; readonly hint: string; readonly slips: Slips<Field, Input> },
): Promise<void> {
  const fields = Object.keys(right) as Field[];
  const got = expectFields(await call(), fields, { hint: fields.join(', ') });
  for (const field of fields) {
    const what = `${field} for ${said}`;
    const mistakes = slips[field].map(([told, of]): KnownMistake => ({ hint: told, answer: () => of(input) }));
    expectAnswer(expectNumber(got[field], { what, hint }), right[field], { what, rtol: 1e-6, atol: 1e-9, hint }, mistakes);
  }
} // prettier-ignore

// hybrid.blended

export interface Halves {
  /** Where each half by itself has its optimum, and how curved it is there. */
  readonly u: number;
  readonly v: number;
  readonly a: number;
  readonly b: number;
  readonly sigma: number;
}

/** By going there: each half in turn to its optimum, the other held, until neither moves. */
function blended({ u, v, a, b, sigma }: Halves): Numbers<'theta' | 'tilde'> {
  if (sigma === 0) {
    const both = (a * u + b * v) / (a + b);
    return { theta: both, tilde: both };
  }
  const k = 1 / sigma ** 2;
  let [theta, tilde] = [u, v];
  for (let i = 0; i < 100_000; i++) {
    theta = (a * u + k * tilde) / (a + k);
    tilde = (b * v + k * theta) / (b + k);
  }
  return { theta, tilde };
} // prettier-ignore

const mixed = (h: Halves, change: Partial<Halves>) => blended({ ...h, ...change });
const blendSlips: Slips<'theta' | 'tilde', Halves> = {
  theta: [
    ['the tie has 1 / σ², not 1 / σ', (h) => mixed(h, { sigma: Math.sqrt(h.sigma) }).theta],
    ['the slope of (θ − θ̃)² / (2 σ²) is (θ − θ̃) / σ²: the 2 is gone', (h) => mixed(h, { sigma: h.sigma * Math.SQRT2 }).theta],
    ['the slope of (θ − θ̃)² / (2 σ²) is (θ − θ̃) / σ², not half or twice that', (h) => mixed(h, { sigma: h.sigma / Math.SQRT2 }).theta],
    ['these are the halves in each other’s place: θ is pulled to u, θ̃ to v', (h) => blended(h).tilde],
    ['that is where the two would meet: a tie of finite strength leaves them apart', (h) => mixed(h, { sigma: 0 }).theta],
    ['how curved each half is says how much it yields: a and b', (h) => mixed(h, { a: 1, b: 1 }).theta],
    ['a is the curvature of θ’s half, b that of θ̃’s: they are in each other’s place', (h) => mixed(h, { a: h.b, b: h.a }).theta],
    ['θ̃ moves, too: solve for both at once', (h) => (h.a * h.u + h.v / h.sigma ** 2) / (h.a + 1 / h.sigma ** 2)],
    ['untied: σ is finite', (h) => h.u],
  ],
  tilde: [
    ['the tie has 1 / σ², not 1 / σ', (h) => mixed(h, { sigma: Math.sqrt(h.sigma) }).tilde],
    ['that is where the two would meet: a tie of finite strength leaves them apart', (h) => mixed(h, { sigma: 0 }).tilde],
    ['θ moves, too: solve for both at once', (h) => (h.b * h.v + h.u / h.sigma ** 2) / (h.b + 1 / h.sigma ** 2)],
    ['untied: σ is finite', (h) => h.v],
    ['these are the halves in each other’s place', (h) => blended(h).theta],
  ],
}; // prettier-ignore

export async function checkBlended(call: Call, halves: Halves): Promise<void> {
  const { u, v, a, b, sigma } = halves;
  const said = `u = ${u}, v = ${v}, a = ${a}, b = ${b}, σ = ${sigma}`;
  const hint = 'both slopes are 0: a (θ − u) + (θ − θ̃)/σ² = 0 and b (θ̃ − v) + (θ̃ − θ)/σ² = 0';
  await checkFields(() => call(u, v, a, b, sigma), halves, blended(halves), { said, hint, slips: blendSlips });
}

export const together: Exercise = {
  id: 'hybrid.blended',
  chapter,
  functionName: 'blendOf',
  title: 'predict: where a blend ends up',
  points: 2,
  allOrNothing: true,
  hints: [
    'At the optimum both slopes are 0. What are they, of θ and of θ̃? What does their sum say?',
    'a (θ − u) + (θ − θ̃)/σ² = 0 and b (θ̃ − v) + (θ̃ − θ)/σ² = 0. Times σ², they are two linear equations, which also hold at σ = 0.',
    'θ = (a b σ² u + a u + b v) / (a b σ² + a + b), and θ̃ has v in place of the first u.',
  ],
  checks: [
    {
      name: 'one model, at σ = 0',
      async run({ call }) {
        await checkBlended(call, { u: 1, v: 0, a: 1, b: 1, sigma: 0 });
        await checkBlended(call, { u: 2, v: -1, a: 1, b: 3, sigma: 0 });
      },
    },
    {
      name: 'halves of equal curvature',
      run: ({ call }) => checkBlended(call, { u: 1, v: -1, a: 1, b: 1, sigma: 0.6 }),
    },
    {
      name: 'a stiff half and a soft one, tied loosely',
      async run({ call }) {
        await checkBlended(call, { u: 3, v: 1, a: 0.5, b: 4, sigma: 2 });
        await checkBlended(call, { u: -2, v: 5, a: 3, b: 0.2, sigma: 0.7 });
      },
    },
  ],
};

// hybrid.narrow

type Nats = Numbers<'mode' | 'strangers' | 'deviation'>;

/** Coordinate by coordinate, from the moments of a squared normal number: 1 and 2. */
function surprise(D: number, s: number): Nats {
  let [mode, strangers, variance] = [0, 0, 0];
  for (let d = 0; d < D; d++) {
    mode += 0.5;
    strangers += 0.5 - 0.5 * s * s;
    variance += 0.25 * 2;
  }
  return { mode, strangers, deviation: Math.sqrt(variance) };
}

interface Width {
  readonly D: number;
  readonly s: number;
}

const narrowSlips: Slips<'mode' | 'strangers' | 'deviation', Width> = {
  mode: [
    ['that is −ln p at the top itself: how far above the mean it is does not depend on ln 2π', ({ D }) => (D / 2) * Math.log(2 * Math.PI)],
    ['E x² = 1 for each coordinate, and ln p has ½ x²', ({ D }) => D],
    ['at x = 0 ln p is highest: above the mean', ({ D }) => -D / 2],
    ['of all D coordinates', () => 0.5],
  ],
  strangers: [
    ['their mean square is s², not s', ({ D, s }) => (D / 2) * (1 - s)],
    ['narrow data have higher ln p than those the model is of, wide ones lower', ({ D, s }) => (D / 2) * (s * s - 1)],
    ['ln p has ½ x²', ({ D, s }) => D * (1 - s * s)],
    ['all are scored by the same p, N(0, I): ln s of their own density has no place', ({ D, s }) => (D / 2) * (1 - s * s) - D * Math.log(s)],
    ['of all D coordinates', ({ s }) => (1 - s * s) / 2],
  ],
  deviation: [
    ['the variance of ½ x² is ½: a quarter of that of x², which is 2', ({ D }) => Math.sqrt(D)],
    ['the variance of ½ x² is ½, a quarter of 2', ({ D }) => Math.sqrt(2 * D)],
    ['the deviation, not the variance', ({ D }) => D / 2],
    ['variances add up, over D coordinates', () => Math.SQRT1_2],
    ['the variance of ½ x² is ½: that of x² is 2', ({ D }) => Math.sqrt(D) / 2],
  ],
}; // prettier-ignore

export async function checkNarrow(call: Call, D: number, s: number): Promise<void> {
  const said = `D = ${D}, s = ${s}`;
  const hint = 'ln p(x) = −½ Σ_d (ln 2π + x_d²), with E x_d² = 1 of the model’s own data, and s² of the others';
  await checkFields(() => call(D, s), { D, s }, surprise(D, s), { said, hint, slips: narrowSlips });
}

export const narrow: Exercise = {
  id: 'hybrid.narrow',
  chapter,
  functionName: 'surpriseOf',
  title: 'predict: strangers that are more probable than the data',
  points: 2,
  allOrNothing: true,
  hints: [
    'Of ln p(x) only −½ Σ x² depends on x. What is its mean over the model’s own data, at x = 0, and over N(0, s² I)?',
    'Its mean is −D/2 over own data, 0 at the top and −D s²/2 over the others. Its variance: coordinates are independent, and the variance of x² is 2.',
    'mode D/2, strangers (D/2)(1 − s²), deviation √(D/2).',
  ],
  checks: [
    {
      name: 'one coordinate',
      async run({ call }) {
        await checkNarrow(call, 1, 0);
        await checkNarrow(call, 1, 0.5);
      },
    },
    {
      name: 'many coordinates, narrow and wide',
      async run({ call }) {
        await checkNarrow(call, 64, 0.7);
        await checkNarrow(call, 10, 1.5);
      },
    },
  ],
};
