/** Chapter 0: what a die does, on paper: two predictions and a derivative. */
import { expectArray, expectFields, expectNumber } from '../../exercise/compare';
import type { Exercise, Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { softmax, type Vector } from './common';

const chapter = '00-start';

type Call = (...args: Value[]) => Promise<Value>;

const total = (values: Vector) => values.reduce((a, b) => a + b, 0);

// start.shareOfSum

type Streams = 'two labels' | 'one label';

/** By counting: all 36 pairs of faces, or the 6 pairs of a face with itself. */
function shareOf(sum: number, streams: Streams): number {
  const faces = [1, 2, 3, 4, 5, 6];
  const pairs = faces.flatMap((a) => (streams === 'one label' ? [2 * a] : faces.map((b) => a + b)));
  return pairs.filter((s) => s === sum).length / pairs.length;
}

export async function checkShareOfSum(call: Call, sum: number, streams: Streams, hint?: string): Promise<void> {
  const got = expectNumber(await call(sum, streams), { what: 'the share' });
  const other = streams === 'one label' ? 'two labels' : 'one label';
  const mistakes: readonly (readonly [hint: string, answer: number])[] = [
    ['the other way round: the same label gives the same numbers again', shareOf(sum, other)],
    ['a share, not a number of cases: divide by all cases, which are equally likely', 36 * shareOf(sum, streams)],
    ['a share, not percent', 100 * shareOf(sum, streams)],
    ['the sums are not equally likely: count the pairs of faces that make each', 1 / 11],
    ['ordered pairs: 1 + 2 and 2 + 1 are two cases of 36', Math.ceil(18 * shareOf(sum, streams)) / 36],
  ];
  const what = `the share of the sum ${sum}, with ${streams},`;
  const tolerance = { what, rtol: 1e-3, atol: 1e-6, ...(hint !== undefined && { hint }) };
  expectAnswer(got, shareOf(sum, streams), tolerance, mistakes.map(([hint, answer]) => ({ hint, answer: () => answer }))); // prettier-ignore
}

export const shareOfSum: Exercise = {
  id: 'start.shareOfSum',
  chapter,
  functionName: 'shareOfSum',
  title: 'predict: the sums of two dice, and of one die twice',
  points: 1,
  allOrNothing: true,
  hints: [
    'How many of the 36 pairs of faces add up to 7, and how many to 2? Which pairs are left when both dice show the same numbers?',
    'With two labels the pairs (1, 1) … (6, 6) are all equally likely, 1/36 each; 6 − |sum − 7| of them make the sum. With one label only the doubles occur, 1/6 each.',
    'Return (6 − |sum − 7|) / 36 for two labels, and for one label 1/6 if the sum is even, else 0. Outside 2 … 12 both are 0.',
  ],
  checks: [
    {
      name: 'with two labels 7 comes in a sixth of the throws, and 2 in one of 36',
      async run({ call }) {
        await checkShareOfSum(call, 2, 'two labels');
        await checkShareOfSum(call, 7, 'two labels');
        await checkShareOfSum(call, 11, 'two labels');
      },
    },
    {
      name: 'with one label both dice show the same face',
      async run({ call }) {
        for (const sum of [7, 12, 4, 5]) await checkShareOfSum(call, sum, 'one label', 'only doubles come');
      },
    },
    {
      name: 'no sum lies outside 2 … 12, and the shares add up to 1',
      async run({ call }) {
        for (const streams of ['two labels', 'one label'] as const)
          for (let sum = 0; sum <= 14; sum++) await checkShareOfSum(call, sum, streams, 'two faces of 1 … 6 each');
      },
    },
  ],
};

// start.dieGradient

/** −(1/N) Σ_v c_v ln softmax(θ)_v */
function lossOf(logits: Vector, counts: Vector): number {
  return -softmax(logits).reduce((sum, q, v) => sum + counts[v]! * Math.log(q), 0) / total(counts);
}

export async function checkDieGradient(call: Call, logits: Vector, counts: Vector, hint?: string): Promise<void> {
  const got = expectArray(await call(logits, counts), { what: 'the gradient', length: logits.length });
  const [q, N] = [softmax(logits), total(counts)];
  const shares = counts.map((count) => count / N);
  const each = (of: (q: number, share: number, v: number) => number) => q.map((qv, v) => of(qv, shares[v]!, v));
  const mistakes: readonly (readonly [hint: string, answer: Vector])[] = [
    ['uphill: the loss is minus the mean log-probability', each((q, s) => s - q)],
    ['the loss is a mean over the throws: divide by N', each((q, s) => N * (q - s))],
    ['shares of the throws, not their number', each((q, _, v) => q - counts[v]!)],
    ['the logits sit in the normaliser, too: ∂ ln Σ exp θ / ∂θ_v = softmax(θ)_v', each((_, s) => -s)],
    ['that is the derivative by the probabilities q, as if they were free: the loss is asked by the logits', each((q, s) => -s / q)],
    ['not the squared error of q: its logarithm is in the loss', each((q, s) => 2 * (q - s))],
    ['the softmax of the logits, not the logits themselves', each((_, s, v) => logits[v]! - s)],
    ['the derivative of ln q_x by θ_v is [x = v] − q_v: no further factor', each((q, s) => q * (1 - q) * (q - s))],
  ]; // prettier-ignore
  const what = `the gradient for logits ${logits.map((v) => v.toFixed(2)).join(', ')} and counts ${counts.join(', ')}`;
  const tolerance = { what, rtol: 1e-3, atol: 1e-5, ...(hint !== undefined && { hint }) };
  const known: KnownMistake[] = mistakes.map(([hint, answer]) => ({ hint, answer: () => [...answer] }));
  expectAnswer(got, each((q, s) => q - s), tolerance, known); // prettier-ignore
}

export const dieGradient: Exercise = {
  id: 'start.dieGradient',
  chapter,
  functionName: 'dieGradient',
  title: 'derive: which way the loss falls',
  points: 2,
  hints: [
    'ln softmax(θ)_x has two parts: θ_x, and the logarithm of a sum. In which of the two does θ_v occur when v is not x?',
    'The derivative of θ_x by θ_v is 1 if v = x, else 0. The derivative of ln Σ_w exp θ_w by θ_v is exp θ_v / Σ_w exp θ_w, the softmax. Now average over the throws: how often is v = x?',
    'Entry v is softmax(θ)_v minus counts_v / N. Take the largest logit out before exp, so that nothing overflows.',
  ],
  checks: [
    {
      name: 'a fair model of a coin that fell on one side only: (½, −½) towards it',
      run: ({ call }) => checkDieGradient(call, [0, 0], [0, 4], 'softmax less the shares'),
    },
    {
      name: 'is 0 where the model has the shares of the throws',
      law: true,
      run: ({ call }) =>
        checkDieGradient(call, [1, 2, 4].map(Math.log), [10, 20, 40], 'there the loss is least: q = the shares'),
    },
    {
      name: 'agrees with differences of the loss',
      async run({ call }) {
        for (const [logits, counts] of [
          [
            [0.3, -1.2, 2, 0.5],
            [3, 0, 1, 8],
          ],
          [
            [-2, 1.5, 0, 0.25, 3, 1],
            [1, 2, 3, 4, 0, 30],
          ],
        ] as const) {
          await checkDieGradient(call, logits, counts);
          const got = expectArray(await call(logits, counts), { length: logits.length }) as Vector;
          const slope = (v: number) => {
            const moved = (step: number) => lossOf(logits.map((l, w) => (w === v ? l + step : l)), counts); // prettier-ignore
            return (moved(1e-4) - moved(-1e-4)) / 2e-4;
          };
          const largest = Math.max(...got.map((g, v) => Math.abs(g - slope(v))));
          expectAnswer(largest, 0, { what: 'the distance from differences of the loss', rtol: 0, atol: 1e-5 });
        }
      },
    },
    {
      name: 'works for logits of a thousand',
      run: ({ call }) =>
        checkDieGradient(call, [1000, 999, 998.5], [2, 2, 1], 'exp(1000) overflows: subtract the largest logit first'),
    },
  ],
};

// start.endOfTraining

/** Where −Σ p ln q goes as q goes to the shares. */
function ends(counts: Vector, truth: Vector): { training: number; truth: number } {
  const q = counts.map((count) => count / total(counts));
  const cost = (p: Vector) => p.reduce((sum, pv, v) => (pv === 0 ? sum : sum - pv * Math.log(q[v]!)), 0);
  const [training, ofTruth] = [cost(q), cost(truth)];
  return { training, truth: ofTruth };
}

export async function checkEndOfTraining(call: Call, counts: Vector, truth: Vector, hint?: string): Promise<void> {
  const fields = expectFields(await call(counts, truth), ['training', 'truth'], { what: 'the losses' });
  const right = ends(counts, truth);
  const entropy = -truth.reduce((sum, p) => (p === 0 ? sum : sum + p * Math.log(p)), 0);
  const shares = counts.map((count) => count / total(counts));
  const reverse = -shares.reduce((sum, s, v) => (s === 0 ? sum : sum + s * Math.log(truth[v]!)), 0);
  const seen = -truth.reduce((sum, p, v) => (counts[v] === 0 ? sum : sum + p * Math.log(shares[v]!)), 0);
  const smoothed = (alpha: number) =>
    -truth.reduce((sum, p, v) => sum + p * Math.log((counts[v]! + alpha) / (total(counts) + alpha * truth.length)), 0);
  const list = (pairs: readonly (readonly [string, number])[]) =>
    pairs.map(([hint, answer]): KnownMistake => ({ hint, answer: () => answer }));
  const about = (what: string) => ({ what, rtol: 1e-3, atol: 1e-4, ...(hint !== undefined && { hint }) });
  expectAnswer(fields.training!, right.training, about(`the training loss for counts ${counts.join(', ')}`), list([
    ['not 0: the throws differ, and one model must serve them all; what is left is the entropy of their shares', 0],
    ['training sees the throws alone, not the true die', entropy],
    ['the model’s shares stand in the logarithm, not the true die’s: it moves, the die does not', reverse],
    ['nats per throw: the mean, not the sum', total(counts) * right.training],
    ['nats: the natural logarithm, not log₂', right.training / Math.LN2],
    ['the sign: a loss of a probability is positive', -right.training],
    ['that is the loss before training, of a fair die', Math.log(counts.length)],
  ])); // prettier-ignore
  expectAnswer(fields.truth!, right.truth, about(`the true loss for counts ${counts.join(', ')}`), list([
    ['a face that was never thrown gets probability 0 in the limit: what does the true die pay when it comes?', seen],
    ['the model learns the shares of these throws, not the true die', entropy],
    ['true faces pay, and the model sets the price: −Σ p ln q, not −Σ q ln p', reverse],
    ['the training loss and the true loss part: the true die weighs by p', right.training],
    ['nats: the natural logarithm, not log₂', right.truth / Math.LN2],
    ...[0.1, 0.5, 1].map((alpha) => ['there are no imaginary throws here: 0 stays 0', smoothed(alpha)] as const),
    ['the true loss is a mean over the true die: −Σ p ln q', -shares.reduce((sum, s) => sum + Math.log(s), 0) / shares.length],
  ])); // prettier-ignore
}

const FAIR = [0.25, 0.25, 0.25, 0.25];

export const endOfTraining: Exercise = {
  id: 'start.endOfTraining',
  chapter,
  functionName: 'endOfTraining',
  title: 'predict: where training ends',
  points: 1,
  allOrNothing: true,
  hints: [
    'Your gradient says where the loss is least: which probabilities does the model have there?',
    'There q is the share of each face in the throws. The training loss is −Σ q ln q. The true loss is −Σ p ln q: what is it when some q is 0 and its p is not?',
    'Divide the counts by their sum. For both losses skip faces whose weight is 0 (0 ln 0 is 0); where the weight is positive and the share 0, −ln 0 = Infinity is the right answer.',
  ],
  checks: [
    {
      name: 'when the throws have the shares of the die, both end at its entropy',
      run: ({ call }) => checkEndOfTraining(call, [5, 5, 5, 5], FAIR),
    },
    {
      name: 'otherwise they part: training falls below the entropy, the true loss stays above',
      async run({ call }) {
        await checkEndOfTraining(call, [6, 3, 2, 1], FAIR);
        await checkEndOfTraining(call, [1, 2, 9], [0.5, 0.3, 0.2]);
      },
    },
    {
      name: 'a face that never came makes the true loss infinite, unless it never comes',
      async run({ call }) {
        await checkEndOfTraining(call, [6, 3, 3, 0], FAIR, 'ln 0');
        await checkEndOfTraining(call, [6, 3, 3, 0], [0.5, 0.25, 0.25, 0], '0 ln 0 is 0');
      },
    },
  ],
};
