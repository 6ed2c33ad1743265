// %% [markdown] id="title"
// # 6 Normalising flows
//
// Take a distribution that everybody knows how to sample and to evaluate, and bend space until it looks like the data. If every bend can be undone, and if we know by how much it stretches or squeezes the space around every point, we know the density of the result exactly:
//
// $$\ln p(\mathbf{x}) = \ln p(\mathbf{z}) + \ln \left| \det \frac{\partial \mathbf{z}}{\partial \mathbf{x}} \right| \qquad \text{with} \quad \mathbf{z} = f(\mathbf{x}).$$
//
// Everything in this chapter is about the second term: which functions $f$ are flexible, can be inverted, and have a determinant that costs less than the $O(D^3)$ of a general matrix. By the end you have written bends that made history (planar maps, affine and spline couplings, reflections, the exponential of a matrix), have seen them become a model of integer pictures, and have found a published mistake by which such a model reports a likelihood 44 nats better than it can show. Everything printed below was computed by running this file (`npm run solutions -- 06`; what is kept in the workbook, with `--budget full`).

// %% tags=["setup"] id="setup"
import * as tf from '@tensorflow/tfjs';
import { check, NotWritten, yours } from 'grader';
import {
  adamW,
  baselines,
  budgeted,
  card,
  coarseToFine,
  convolutionExponential,
  coupling,
  couplingNetwork,
  createRng,
  density2d,
  dequantisedSource,
  elementwise,
  evaluate,
  figure,
  fit,
  fullBudget,
  householder,
  imageGrid,
  importanceBound,
  ladder,
  linearSpline,
  load,
  logAbsDet,
  lossCurve,
  nice,
  numericalJacobian,
  planar,
  planarFlow,
  planeSource,
  rationalQuadraticSpline,
  realNvp,
  rungsOf,
  splineFlow,
  sweep,
  sylvester,
  sylvesterFlow,
  table,
  affine,
  bases,
  chain,
  histogramBaseline,
  negativeLogLikelihood,
  reversal,
  standardise,
  type Bijection,
  type FlowModel,
  type GenerativeModel,
  type Rng,
  type TrainingData,
} from 'dgm';

const rng = createRng(6); // the one seed of this chapter: change it and every number moves a little
const digits = load('digits');
const V = digits.values; // 17 grey levels

/** One way of training for all flows of this chapter; section 4 gives the reasons. */
function train(
  model: GenerativeModel,
  data: TrainingData,
  here: Rng,
  options: { epochs: number; learningRate: number; batchSize: number; weightDecay?: number; quiet?: boolean },
) {
  return fit(model, data, {
    epochs: options.epochs,
    batchSize: options.batchSize,
    optimiser: adamW(options.learningRate, { weightDecay: options.weightDecay ?? 0.01, clipNorm: 100 }),
    ema: 0.99,
    patience: 10,
    rng: here,
    quiet: options.quiet ?? true,
  });
}

// %% [markdown] id="why"
// ## Why bend space
//
// On the left, points of two moons. In the middle, *the same points*, in the same colours, where a trained flow has put them: one round Gaussian cloud. On the right, fresh draws of that Gaussian, taken back through the inverse. One function, used in two directions, both evaluates densities and draws samples. Nothing was lost on the way: each point of the cloud is one point of the moons.

// %% id="why-picture"
const moons = dequantisedSource(planeSource('two moons')); // its density is known, so section 6 can use it, too
const plane = {
  train: { x: moons.sample({ count: 20_000, rng: rng.fork('moons') }) },
  validation: { x: moons.sample({ count: 2000, rng: rng.fork('moons, validation') }) },
};
const onPlane = { eventShape: [2], values: null, domain: 'reals', low: 0, high: 32, batchSize: 256 } as const;
const bent = realNvp.create({ ...realNvp.defaults, ...onPlane, masks: [[0], [1]], hidden: [64, 64] }, rng.fork('bent'));
const bentRun = await train(bent, plane, rng.fork('bent run'), {
  epochs: budgeted(12, 60),
  learningRate: 0.003,
  batchSize: 256,
});

const rowsOf = (x: tf.Tensor) => x.arraySync() as number[][];
const shownX = rowsOf(moons.sample({ count: 1500, rng: rng.fork('shown') }));
const shownZ = rowsOf(tf.tidy(() => bent.toLatent(tf.tensor2d(shownX)).z));
const drawnX = rowsOf(bent.sample({ count: 1500, rng: rng.fork('drawn') }));
const colours = shownX.map(([a]) => a!); // by how far to the right a point lies
const scatter = (points: readonly number[][], axis: string, color: readonly number[] | string) => ({
  mode: 'markers',
  x: points.map(([a]) => a),
  y: points.map(([, b]) => b),
  marker: { size: 3, color, colorscale: 'Viridis' },
  hoverinfo: 'skip',
  xaxis: `x${axis}`,
  yaxis: `y${axis}`,
});
const third = (i: number) => ({ domain: [i * 0.35, i * 0.35 + 0.3] as [number, number] });
figure(
  [scatter(shownX, '', colours), scatter(shownZ, '2', colours), scatter(drawnX, '3', '#2f7fd1')],
  {
    showlegend: false,
    xaxis: { ...third(0), title: 'data x' },
    xaxis2: { ...third(1), title: 'latents z of the same points', anchor: 'y2' },
    xaxis3: { ...third(2), title: 'samples', anchor: 'y3' },
    yaxis: {},
    yaxis2: { anchor: 'x2' },
    yaxis3: { anchor: 'x3' },
  },
  { height: 330, alt: 'Two moons, the same points as one Gaussian cloud, and samples that look like two moons again' },
);

// %% [markdown] id="family"
// ## 1 Family
//
// **One dimension first.** Let $z = f(x)$ increase, and let $z \sim \mathcal{N}(0, 1)$. The probability that $x$ lies in a short interval $[x, x + \mathrm{d}x]$ is the probability that $z$ lies in its image, whose length is $f'(x)\,\mathrm{d}x$. So $p(x)\,\mathrm{d}x = p(z)\, f'(x)\,\mathrm{d}x$. If $f$ decreases, the image is as long and runs the other way: $p(x) = p(f(x))\, |f'(x)|$.
//
// Below, $f(x) = x + 0.45 \sin 2x$ wriggles: where it is steep, much of the bell is squeezed into little space, and the density is high. Bars: draws of $z$, taken back through $f^{-1}$. The dotted curve is $p(f(x))$ without the slope: it does not fit, and its integral is not 1.

// %% id="one-dimension"
const f = (x: number) => x + 0.45 * Math.sin(2 * x);
const slopeOf = (x: number) => 1 + 0.9 * Math.cos(2 * x);
const bell = (z: number) => Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI);
/** f⁻¹(z), by halving an interval that holds it. */
function solve(z: number): number {
  let [low, high] = [z - 1, z + 1];
  for (let i = 0; i < 40; i++) {
    const middle = (low + high) / 2;
    if (f(middle) < z) low = middle;
    else high = middle;
  }
  return low;
}
const drawn = Array.from(rng.fork('bell').normal([20_000]).dataSync(), solve);
const line = Array.from({ length: 241 }, (_, i) => -4 + i / 30);
figure(
  [
    { x: line, y: line.map(f), mode: 'lines', name: 'z = f(x)', xaxis: 'x2', yaxis: 'y2' },
    {
      type: 'histogram',
      x: drawn,
      histnorm: 'probability density',
      xbins: { start: -4, end: 4, size: 0.1 },
      name: 'draws of z, taken back',
      opacity: 0.45,
    },
    { x: line, y: line.map((x) => bell(f(x)) * slopeOf(x)), mode: 'lines', name: 'p(f(x)) f′(x)' },
    { x: line, y: line.map((x) => bell(f(x))), mode: 'lines', name: 'p(f(x)) alone', line: { dash: 'dot' } },
  ],
  {
    xaxis: { title: 'x', domain: [0.45, 1] },
    yaxis: { title: 'density', anchor: 'x' },
    xaxis2: { title: 'x', domain: [0, 0.35], anchor: 'y2' },
    yaxis2: { title: 'z', anchor: 'x2' },
    bargap: 0,
  },
  { alt: 'A wriggling increasing function, and the density it makes of a Gaussian, with and without the slope' },
);

// %% [markdown] id="change-of-variables-text"
// ### Exercise: change of variables
//
// $\ln p(x) = \ln \mathcal{N}(z; 0, 1) + \ln |f'(x)|$, for each of several points. The slope may be negative.

// %% id="change-of-variables"
/**
 * ln p(x) of points whose latents are standard normal.
 * @param z f(x) of each point: [N] @param slope f′(x) of each point, not 0: [N] @returns [N], in nats
 */
function logDensity1d(z: readonly number[], slope: readonly number[]): number[] {
  // BEGIN SOLUTION flow.changeOfVariables
  return z.map((value, n) => -0.5 * (value * value + Math.log(2 * Math.PI)) + Math.log(Math.abs(slope[n]!)));
  // END SOLUTION
}

// %% id="check-change-of-variables"
await check('flow.changeOfVariables', logDensity1d);

// %% [markdown] id="own-density-text"
// **Your density**, for three functions: does it integrate to 1, also where $f$ decreases? (What is not written yet, the page does in its place, and a line says so.)

// %% id="own-density"
const ownDensity = yours(logDensity1d, (z: readonly number[], slope: readonly number[]): number[] =>
  z.map((value, n) => Math.log(bell(value) * Math.abs(slope[n]!))),
);
const wriggles = [
  { f: 'x + 0.45 sin 2x', z: f, slope: slopeOf },
  { f: '−2x', z: (x: number) => -2 * x, slope: () => -2 },
  { f: 'sinh x', z: Math.sinh, slope: Math.cosh },
].map((map) => ({ ...map, p: ownDensity(line.map(map.z), line.map(map.slope)).map(Math.exp) }));
figure(
  wriggles.map(({ f: name, p }) => ({ x: line, y: p, mode: 'lines', name: `f(x) = ${name}` })),
  { title: `p(x) of three functions: ${ownDensity.by()}`, xaxis: { title: 'x' }, yaxis: { title: 'density' } },
  { height: 300, alt: 'Three densities that their functions make of a Gaussian' },
);
table(
  wriggles.map(({ f: name, p }) => ({ 'f(x)': name, '∫ p(x) dx': p.reduce((sum, v) => sum + v / 30, 0) })),
  { digits: 3 },
);

// %% [markdown] id="planar-text"
// **Many dimensions.** The slope becomes the Jacobian matrix $\partial \mathbf{z} / \partial \mathbf{x}$, and its length-changing factor becomes the absolute value of its determinant, the factor by which small volumes grow. For a chain of functions the determinants multiply, so *log-determinants add up*. What is left is to find functions whose log-determinant is cheap.
//
// **Planar maps** (Rezende and Mohamed, 2015) push points along one direction, by an amount that depends on one linear feature:
//
// $$\mathbf{z} = \mathbf{x} + \hat{\mathbf{u}} \tanh(\mathbf{w}^\top \mathbf{x} + b), \qquad \ln \left|\det \tfrac{\partial \mathbf{z}}{\partial \mathbf{x}}\right| = \ln \bigl(1 + \hat{\mathbf{u}}^\top \mathbf{w}\, (1 - \tanh^2(\mathbf{w}^\top \mathbf{x} + b)) \bigr).$$
//
// The Jacobian is $\mathbf{I} + \hat{\mathbf{u}} \mathbf{v}^\top$ with $\mathbf{v} = (1 - \tanh^2) \mathbf{w}$. It leaves every direction orthogonal to $\mathbf{v}$ alone and stretches the one that is left by $1 + \mathbf{v}^\top \hat{\mathbf{u}}$ (the *matrix determinant lemma*): a number in place of a matrix.
//
// **Its condition.** Along $\mathbf{w}$ the map is $a \mapsto a + \mathbf{w}^\top \hat{\mathbf{u}} \tanh(a + b)$. As $0 < 1 - \tanh^2 \le 1$, it increases everywhere if $\mathbf{w}^\top \hat{\mathbf{u}} \ge -1$; below, space folds over itself, two points share a latent, and the formula is no density any more. So a free $\mathbf{u}$ is moved along $\mathbf{w}$ until the condition holds:
//
// $$\hat{\mathbf{u}} = \mathbf{u} + \bigl(m(\mathbf{w}^\top \mathbf{u}) - \mathbf{w}^\top \mathbf{u}\bigr) \frac{\mathbf{w}}{\|\mathbf{w}\|^2} \qquad \text{with} \quad m(a) = -1 + \ln(1 + e^a) > -1.$$
//
// ### Exercise: a planar map

// %% id="planar"
/**
 * z = x + û tanh(w·x + b), with û made from u such that the map can be inverted.
 * @param x [B, D] @param w [D], not 0 @param u [D] @param b a number
 * @returns z [B, D], and ln |det ∂z/∂x| of each example: logDet [B]
 */
function planarToLatent(x: tf.Tensor, w: tf.Tensor, u: tf.Tensor, b: number): { z: tf.Tensor; logDet: tf.Tensor } {
  // BEGIN SOLUTION flow.planar
  const along = w.mul(u).sum();
  const lifted = tf.softplus(along).sub(1); // m(w·u)
  const direction = u.add(w.mul(lifted.sub(along)).div(w.square().sum())); // [D]
  const h = x.matMul(w.expandDims(1)).add(b).tanh(); // [B, 1]
  const slope = tf.sub(1, h.square()).squeeze([1]); // [B]
  return { z: x.add(h.mul(direction)), logDet: slope.mul(lifted).add(1).log() };
  // END SOLUTION
}

// %% id="check-planar"
await check('flow.planar', planarToLatent);

// %% [markdown] id="own-planar-text"
// **Your map**, three times over, on a grid of points: each pushes along one direction, by the hyperbolic tangent of one feature. Colour is the log-determinant so far: where space was stretched, the density of the data is higher than that of its latents.

// %% id="own-planar"
const ownPlanar = yours(planarToLatent, (x: tf.Tensor, w: tf.Tensor, u: tf.Tensor, b: number) => {
  const map = planar(x.shape[1]!, rng.fork('library map'));
  [w, u, tf.tensor1d([b])].forEach((value, i) => (map.variables[i] as tf.Variable).assign(value));
  const { z, logDet } = map.toLatent(x);
  return { z, logDet };
});
const ticksOfGrid = Array.from({ length: 31 }, (_, i) => -3 + i / 5);
const pushes = [
  [[1, 0.5], [0.5, 2], 0],
  [[-0.4, 1.5], [2, 0], 0.5],
  [[1, -1], [1, 1], -0.5],
] as const; // prettier-ignore
const bends = tf.tidy(() => {
  let z: tf.Tensor = tf.tensor2d(ticksOfGrid.flatMap((a) => ticksOfGrid.map((b) => [a, b])));
  let sum: tf.Tensor = tf.zeros([z.shape[0]!]);
  return [[], ...pushes].map(([w, u, b]) => {
    if (w) {
      const next = ownPlanar(z, tf.tensor1d([...w]), tf.tensor1d([...u!]), b!);
      [z, sum] = [next.z, sum.add(next.logDet)];
    }
    return { points: z.arraySync() as number[][], logDet: Array.from(sum.dataSync()) };
  });
});
figure(
  bends.map(({ points, logDet }, i) => ({
    ...scatter(points, i === 0 ? '' : String(i + 1), logDet),
    marker: { size: 3, color: logDet, colorscale: 'Viridis', cmin: -1.5, cmax: 1.5, showscale: i === 3, colorbar: { title: { text: 'ln |det|' } } },
  })),
  {
    title: `A grid under three planar maps: ${ownPlanar.by()}`,
    showlegend: false,
    grid: { rows: 1, columns: 4, pattern: 'independent' },
  },
  { height: 280, alt: 'A square grid of points, pushed out of shape along three directions one after the other' },
); // prettier-ignore

// %% [markdown] id="folding-text"
// What the condition is good for, in one dimension: $a \mapsto a + c \tanh a$ for three strengths $c = \mathbf{w}^\top \hat{\mathbf{u}}$. Below $-1$ a horizontal line can meet the curve three times.

// %% id="folding"
figure(
  [1, -0.8, -2].map((c) => ({
    x: line,
    y: line.map((a) => a + c * Math.tanh(a)),
    mode: 'lines',
    name: `w·û = ${String(c).replace('-', '−')}`,
    ...(c < -1 && { line: { dash: 'dash' } }),
  })),
  { xaxis: { title: 'a = w·x' }, yaxis: { title: 'a + w·û tanh a' } },
  { height: 320, alt: 'Two increasing curves, and a third one that folds back: it has no inverse' },
);

// %% [markdown] id="network"
// ## 2 Network
//
// Planar maps have no network: a few numbers each, and it takes many of them. **Couplings** (Dinh, Krueger and Bengio, 2015) let any network in. Split the coordinates in two, $\mathbf{x} = (\mathbf{x}_a, \mathbf{x}_b)$. Keep $\mathbf{x}_a$, and move $\mathbf{x}_b$ by a simple invertible function *whose parameters a network reads off* $\mathbf{x}_a$:
//
// $$\text{NICE: } \mathbf{z}_b = \mathbf{x}_b + \mathbf{t}(\mathbf{x}_a), \qquad \text{RealNVP: } \mathbf{z}_b = \mathbf{x}_b \odot e^{\mathbf{s}(\mathbf{x}_a)} + \mathbf{t}(\mathbf{x}_a).$$
//
// On the way back $\mathbf{x}_a = \mathbf{z}_a$ is still there, so the network says the same again: *it is never inverted*. And the Jacobian is triangular,
//
// $$\frac{\partial(\mathbf{z}_a, \mathbf{z}_b)}{\partial(\mathbf{x}_a, \mathbf{x}_b)} = \begin{pmatrix} \mathbf{I} & \mathbf{0} \\ \cdots & \mathrm{diag}(e^{\mathbf{s}}) \end{pmatrix}, \qquad \ln |\det| = \sum_d s_d$$
//
// whatever the dots are. For NICE it is 0: volumes stay as they are, and a single scaling at its end does all the stretching. In RealNVP a large $s$ overflows at once, so it is bounded (here $|s| < 2$, by a hyperbolic tangent).
//
// ### Exercise: an affine coupling
//
// The first half of the coordinates is kept. The network gives, for each example, first all $s$ and then all $t$. Take its $s$ as it is: a bound on it is part of the network.

// %% id="coupling"
/**
 * z_a = x_a, z_b = x_b exp(s) + t with [s, t] = network(x_a).
 * @param x [B, D] with D even @param network [B, D/2] → [B, D], s in its first half and t in its second
 * @returns z [B, D], and ln |det ∂z/∂x| of each example: logDet [B]
 */
function affineCoupling(x: tf.Tensor, network: (kept: tf.Tensor) => tf.Tensor): { z: tf.Tensor; logDet: tf.Tensor } {
  // BEGIN SOLUTION flow.coupling
  const [a, b] = tf.split(x, 2, 1) as [tf.Tensor, tf.Tensor];
  const [s, t] = tf.split(network(a), 2, 1) as [tf.Tensor, tf.Tensor];
  const moved = b.mul(s.exp()).add(t);
  return { z: tf.concat([a, moved], 1), logDet: s.sum(1) };
  // END SOLUTION
}

// %% id="check-coupling"
await check('flow.coupling', affineCoupling);

// %% [markdown] id="to-data-text"
// **Permutations.** One coupling leaves half of the coordinates as they were. Between couplings, the coordinates are therefore put in another order: reversed, or dealt by the colours of a chessboard, or rotated (below). A permutation has determinant $\pm 1$, so it costs nothing; but it has to be undone on the way back, in the right place.
//
// ### Exercise: the way back
//
// A step of a flow is an affine coupling as above, *followed by* the reversal of all coordinates (the last becomes the first). Take $\mathbf{z}$ back to $\mathbf{x}$. No logarithm of anything is asked for.

// %% id="to-data"
/**
 * x, given z = reversed(coupling(x)).
 * @param z [B, D] with D even @param network [B, D/2] → [B, D], as in the coupling @returns [B, D]
 */
function stepToData(z: tf.Tensor, network: (kept: tf.Tensor) => tf.Tensor): tf.Tensor {
  // BEGIN SOLUTION flow.toData
  const ordered = z.reverse(1);
  const [a, moved] = tf.split(ordered, 2, 1) as [tf.Tensor, tf.Tensor];
  const [s, t] = tf.split(network(a), 2, 1) as [tf.Tensor, tf.Tensor];
  const b = moved.sub(t).mul(s.neg().exp());
  return tf.concat([a, b], 1);
  // END SOLUTION
}

// %% id="check-to-data"
await check('flow.toData', stepToData);

// %% [markdown] id="own-flow-text"
// **Your flow.** Eight of your steps, one after the other, are a RealNVP: your `affineCoupling`, then the reversal; back by your `stepToData`. Its networks are trained on the two moons by the log-likelihood that your log-determinants give, as the library's flow was for the first picture. On the right its samples, which only your way back can make. Section 6 puts its divergence beside the library's.

// %% id="own-flow"
const freeAffine = affine(100); // a bound that is never near
const ownStep = yours(affineCoupling, (x: tf.Tensor, network: (kept: tf.Tensor) => tf.Tensor) => {
  const half = x.shape[1]! / 2;
  const [kept, moved] = tf.split(x, 2, 1) as [tf.Tensor, tf.Tensor];
  const parameters = network(kept).reshape([-1, 2, half]).transpose([0, 2, 1]); // [B, D/2, (s, t)]
  const { z, logDet } = freeAffine.toLatent(moved, parameters);
  return { z: tf.concat([kept, z], 1), logDet };
});
const ownBack = yours(stepToData, (z: tf.Tensor, network: (kept: tf.Tensor) => tf.Tensor) => {
  const [kept, moved] = tf.split(reversal(z.shape[1]!).toData(z), 2, 1) as [tf.Tensor, tf.Tensor];
  const parameters = network(kept).reshape([-1, 2, kept.shape[1]!]).transpose([0, 2, 1]);
  return tf.concat([kept, freeAffine.toData(moved, parameters)], 1);
});
const ownNetworks = Array.from({ length: 8 }, (_, i) => couplingNetwork(1, [64, 64], 2, rng.fork(`own network ${i}`)));
const saying = ownNetworks.map(({ apply }) => (kept: tf.Tensor) => {
  const [s, t] = tf.split(apply(kept), 2, 1) as [tf.Tensor, tf.Tensor];
  return tf.concat([s.div(2).tanh().mul(2), t], 1); // the bound on s is the network's
});
const [first, last] = [standardise(16, 32 / Math.sqrt(12)), elementwise(2, affine(4))];
const ownBijection: Bijection = {
  variables: [...ownNetworks.flatMap(({ variables }) => variables), ...last.variables],
  toLatent: (x) =>
    tf.tidy(() => {
      let { z, logDet } = first.toLatent(x);
      for (const network of saying) {
        const step = ownStep(z, network);
        [z, logDet] = [step.z.reverse(1), logDet.add(step.logDet)];
      }
      const end = last.toLatent(z);
      return { z: end.z, logDet: logDet.add(end.logDet) };
    }),
  toData: (z) => tf.tidy(() => first.toData(saying.reduceRight((x, network) => ownBack(x, network), last.toData(z)))),
};
const ownLogProb = (x: tf.Tensor) =>
  tf.tidy(() => {
    const { z, logDet } = ownBijection.toLatent(x);
    return bases.normal.logProb(z).add(logDet);
  });
const ownFlow: GenerativeModel = {
  eventShape: [2],
  likelihood: { kind: 'exact', logProb: ownLogProb },
  objectives: [negativeLogLikelihood(ownBijection.variables, ownLogProb)],
  sample: ({ count, rng: noise }) => tf.tidy(() => ownBijection.toData(noise.normal([count, 2]))),
};
const ownRun = await train(ownFlow, plane, rng.fork('own run'), {
  epochs: budgeted(12, 36),
  learningRate: 0.003,
  batchSize: 256,
});
const [ownZ, ownX] = [
  rowsOf(tf.tidy(() => ownBijection.toLatent(tf.tensor2d(shownX)).z)),
  rowsOf(ownFlow.sample({ count: 1500, rng: rng.fork('own draws') })),
];
figure(
  [scatter(ownZ, '', colours), scatter(ownX, '2', '#2f7fd1')],
  {
    title: `There: ${ownStep.by()}; and back: ${ownBack.by()}`,
    showlegend: false,
    grid: { rows: 1, columns: 2, pattern: 'independent' },
    xaxis: { title: 'latents z of the moons' },
    xaxis2: { title: 'samples' },
  },
  { height: 330, alt: 'The moons as one Gaussian cloud, and moons that were drawn from it' },
); // prettier-ignore

// %% [markdown] id="spline-text"
// **A better coupling.** Scaling and shifting is a small repertoire for one coordinate. Any *increasing* function will do, as long as its slope and its inverse are known. Splines have both.
//
// The simplest is the distribution function of a histogram: cut $[0, K)$ into $K$ bins of width 1, give them probabilities $p_1, \dots, p_K$ (a softmax of what the network says), and go up by $p_k$ along bin $k$ on a straight line (Müller et al., 2019). The result is in $[0, 1]$, and
//
// $$z = \sum_{j < k} p_j + p_k\, (x - (k - 1)) \quad \text{for } x \text{ in bin } k, \qquad \frac{\mathrm{d}z}{\mathrm{d}x} = p_k.$$
//
// If the latents are to be uniform on $[0, 1]$, whose log-density is 0, then $\ln p(x) = \ln p_k$: with a fixed table for every pixel this flow *is* the histogram of the ladder, and with a network it is a histogram that depends on the other coordinates. Straight lines make densities with steps; quotients of parabolas (**rational-quadratic splines**, Durkan et al., 2019) make smooth ones, and their inverse is the solution of a quadratic equation.
//
// ### Exercise: a histogram as a flow
//
// A tip: bin $j$ contributes $p_j$ times the part of it that lies below $x$, which is $\mathrm{clip}(x - (j-1), 0, 1)$.

// %% id="spline"
/**
 * The distribution function of a histogram for each coordinate, on K bins [0, 1), [1, 2) … [K − 1, K).
 * @param x [B, D], in [0, K) @param logits [D, K]: the softmax of each row is that coordinate's histogram
 * @returns z [B, D] in [0, 1], and ln |det ∂z/∂x| of each example: logDet [B]
 */
function histogramToLatent(x: tf.Tensor, logits: tf.Tensor): { z: tf.Tensor; logDet: tf.Tensor } {
  // BEGIN SOLUTION flow.spline
  const K = logits.shape[1]!;
  const logP = tf.logSoftmax(logits); // [D, K]
  const below = x.expandDims(2).sub(tf.range(0, K)).clipByValue(0, 1); // [B, D, K]
  const bin = tf.oneHot(x.floor().toInt() as tf.Tensor2D, K).toFloat(); // [B, D, K]
  return { z: below.mul(logP.exp()).sum(2), logDet: bin.mul(logP).sum([1, 2]) };
  // END SOLUTION
}

// %% id="check-spline"
await check('flow.spline', histogramToLatent);

// %% [markdown] id="own-histogram-text"
// **Your flow of histograms**, with a table of counted grey levels for every pixel of the digits, *is* the histogram of the ladder: a cell of an integer has width 1, so the density in it is the probability. Below, the test digits by both; your row also stands on the ladder of section 6.

// %% id="own-histogram"
const counted = tf.tidy(() =>
  tf
    .oneHot(digits.train.x.toInt() as tf.Tensor2D, V)
    .toFloat()
    .sum(0)
    .add(1)
    .log(),
); // [64, V]
const ownHistogram = yours(histogramToLatent, (x: tf.Tensor, logits: tf.Tensor) => {
  const [D, K] = logits.shape as [number, number];
  const { z, logDet } = linearSpline(K, 0, K).toLatent(x, logits.reshape([1, D, K]));
  return { z, logDet };
});
const byHistogram = (x: tf.Tensor) => tf.tidy(() => ownHistogram(x.add(0.5), counted).logDet);
const histogramFlow: GenerativeModel = {
  eventShape: [64],
  likelihood: { kind: 'exact', logProb: byHistogram },
  objectives: [],
  sample: ({ count }) => tf.zeros([count, 64]),
};
byHistogram(tf.zeros([1, 64])).dispose(); // now it is known who answers
table(
  [
    { model: `histogram as a flow: ${ownHistogram.by()}`, nats: evaluate(histogramFlow, digits.test, rng).nats },
    {
      model: 'histogram of the library, one imaginary count',
      nats: evaluate(histogramBaseline(digits.train, V, { alpha: 1 }), digits.test, rng).nats,
    },
  ],
  { caption: 'Test digits, nats per image', digits: 2 },
);

// %% [markdown] id="spline-picture-text"
// The two kinds of spline with the same random heights at the same knots, and the densities of $x$ that they make of a uniform $z$:

// %% id="spline-picture"
const heights = rng.fork('heights').normal([8]).mul(1.2); // logits of the eight rises
const unit = Array.from({ length: 401 }, (_, i) => (8 * i) / 400.01);
const rises = Array.from(tf.softmax(heights).dataSync(), (p) => 8 * p); // 1 where a bin is as steep as the whole
const knotSlopes = [rises[0]!, ...rises.slice(1).map((rise, k) => Math.sqrt(rise * rises[k]!)), rises[7]!]; // between its bins'
const rawSlopes = knotSlopes.map((slope) => Math.log(Math.expm1(slope)) - Math.log(Math.E - 1)); // a softplus undone
const splines = [
  { name: 'straight lines', transform: linearSpline(8, 0, 8), parameters: heights.reshape([1, 1, 8]) },
  {
    name: 'rational quadratics',
    transform: rationalQuadraticSpline(8, 0, 8),
    parameters: tf.tidy(() => tf.concat([tf.zeros([8]), heights, tf.tensor1d(rawSlopes)]).reshape([1, 1, 25])),
  },
].map(({ name, transform, parameters }) =>
  tf.tidy(() => {
    const { z, logDet } = transform.toLatent(tf.tensor2d(unit, [401, 1]), parameters);
    return { name, z: Array.from(z.dataSync()), density: Array.from(logDet.exp().dataSync()) };
  }),
);
figure(
  splines.flatMap(({ name, z, density }, i) => {
    const line = { color: ['#2f7fd1', '#d9822b'][i], ...(i === 0 && { shape: 'linear' }) };
    return [
      { x: unit, y: z, mode: 'lines', name, line },
      { x: unit, y: density, mode: 'lines', name, line, showlegend: false, xaxis: 'x2', yaxis: 'y2' },
    ];
  }),
  {
    xaxis: { title: 'x', domain: [0, 0.45] },
    yaxis: { title: 'z' },
    xaxis2: { title: 'x', domain: [0.57, 1], anchor: 'y2' },
    yaxis2: { title: 'density of x', anchor: 'x2' },
  },
  { alt: 'Two monotone splines from [0, 8] to [0, 1], and their densities: steps and a smooth curve' },
);

// %% [markdown] id="householder-text"
// **Rotations that are learnt.** Permutations are a poor sort of mixing. A **Householder reflection** mirrors space in the plane that is orthogonal to a vector $\mathbf{v}$,
//
// $$\mathbf{z} = \mathbf{x} - 2\, \frac{\mathbf{v}^\top \mathbf{x}}{\|\mathbf{v}\|^2}\, \mathbf{v}.$$
//
// It keeps volumes, it is its own inverse, and any orthogonal matrix there is can be made of at most $D$ of them, one after the other (Tomczak and Welling, 2016).
//
// ### Exercise: a mirror

// %% id="householder"
/**
 * Each row of x mirrored in the plane through 0 that is orthogonal to v.
 * @param x [B, D] @param v [D], of any length but 0 @returns [B, D]
 */
function reflect(x: tf.Tensor, v: tf.Tensor): tf.Tensor {
  // BEGIN SOLUTION flow.householder
  const along = x.matMul(v.expandDims(1)); // [B, 1]
  return x.sub(along.mul(2).div(v.square().sum()).mul(v));
  // END SOLUTION
}

// %% id="check-householder"
await check('flow.householder', reflect);

// %% id="own-mirrors"
const mirror = yours(reflect, (x: tf.Tensor, v: tf.Tensor) => {
  const map = householder(x.shape[1]!, 1, rng.fork('library mirror'));
  (map.variables[0] as tf.Variable).assign(v.expandDims(0));
  return map.toLatent(x).z;
});
const letter = tf.tensor2d([[1, 0.2], [1, 2], [2, 2], [1, 2], [1, 1.2], [1.7, 1.2]]); // prettier-ignore
const mirrored = tf.tidy(() => {
  const once = mirror(letter, tf.tensor1d([1, 0.2]));
  return [letter, once, mirror(once, tf.tensor1d([1, 3]))].map(rowsOf);
});
figure(
  mirrored.map((points, i) => ({
    mode: 'lines',
    x: points.map(([a]) => a),
    y: points.map(([, b]) => b),
    name: ['an F', 'mirrored once', 'mirrored twice: a rotation'][i]!,
    line: { width: 4 },
  })),
  { title: `Two mirrors: ${mirror.by()}`, xaxis: { range: [-3, 3] }, yaxis: { range: [-2.5, 2.5], scaleanchor: 'x' } },
  { height: 320, alt: 'The letter F, its mirror image, and the image of that, which is the F turned' },
);

// %% [markdown] id="mix-channels-text"
// **Colours.** Pictures have channels, and Glow (Kingma and Dhariwal, 2018) mixes these between couplings by an **invertible 1 × 1 convolution**: one matrix $\mathbf{W}$ of $C \times C$ numbers, applied at every pixel, $\mathbf{z}_{hw} = \mathbf{W} \mathbf{x}_{hw}$. It is a permutation of channels that is learnt.
//
// ### Exercise: derive its log-determinant
//
// The Jacobian of the whole map has $HWC$ rows and as many columns. What does it look like, and what is the logarithm of its determinant? So that it costs nothing, Glow learns a triangular factor: let $\mathbf{W}$ be lower triangular, with numbers of either sign on its diagonal, none of them 0. Your function stands among the layers of the table *Trust, and verify* below, where differences check it.

// %% id="mix-channels"
/**
 * z = W x at every pixel.
 * @param x [B, H, W, C] @param W lower triangular, [C, C] @returns z [B, H, W, C], and ln |det ∂z/∂x| of each example: logDet [B]
 */
function mixChannels(x: tf.Tensor, W: tf.Tensor): { z: tf.Tensor; logDet: tf.Tensor } {
  // BEGIN SOLUTION flow.mixChannels
  const [B, H, width, C] = x.shape as [number, number, number, number];
  const z = x.reshape([-1, C]).matMul(W, false, true).reshape([B, H, width, C]);
  // one block W for every pixel: det is (det W)^(H W), and that of a triangle the product of its diagonal
  const diagonal = W.mul(tf.eye(C)).sum(1); // [C]
  return {
    z,
    logDet: tf.zeros([B]).add(
      diagonal
        .abs()
        .log()
        .sum()
        .mul(H * width),
    ),
  };
  // END SOLUTION
}

// %% id="check-mix-channels"
await check('flow.mixChannels', mixChannels);

// %% [markdown] id="sylvester-text"
// **Sylvester flows** (van den Berg et al., 2018) widen the bottleneck of the planar map from 1 to $M$ directions:
//
// $$\mathbf{z} = \mathbf{x} + \mathbf{Q} \mathbf{R} \tanh(\tilde{\mathbf{R}} \mathbf{Q}^\top \mathbf{x} + \mathbf{b})$$
//
// with $M$ orthonormal columns in $\mathbf{Q}$ and triangular $\mathbf{R}, \tilde{\mathbf{R}}$. Sylvester's identity $\det(\mathbf{I}_D + \mathbf{A}\mathbf{B}) = \det(\mathbf{I}_M + \mathbf{B}\mathbf{A})$ moves the determinant into $M$ dimensions. There $\mathbf{Q}^\top \mathbf{Q} = \mathbf{I}$ drops out and all that is left is triangular: $\ln |\det| = \sum_i \ln (1 + R_{ii} \tilde R_{ii} (1 - \tanh_i^2))$, and $R_{ii} \tilde R_{ii} > -1$ keeps it invertible. Three ways keep $\mathbf{Q}$ orthonormal while it is learnt: project it back again and again (*orthogonal*), build it from reflections (*Householder*), or do not learn it and permute (*triangular*). Hoogeboom et al. (2020) go on to **generalised Sylvester flows**, in which $\mathbf{Q}^\top \mathbf{x}$ becomes any orthogonal $\mathbf{W}\mathbf{x}$, a convolution for one, and the triangle inside the hyperbolic tangent an autoregressive network: $\mathbf{z} = \mathbf{W}^{-1}\bigl(\mathbf{W}\mathbf{x} + f(\mathbf{W}\mathbf{x})\bigr)$.
//
// **Who sees whom.** A triangular layer looks one way: latent $i$ depends on coordinates $1 \dots i$ alone. The same holds of a **masked autoregressive flow** (MAF; Papamakarios et al., 2017), which is an affine coupling with as many groups as coordinates: $z_i = (x_i - t_i(x_1 \dots x_{i-1})) / e^{s_i}$. Its masks are those of MADE (chapter 5), a likelihood is one pass, and a sample takes $D$; the **inverse autoregressive flow** (IAF; Kingma et al., 2016) has it the other way round, one pass to sample and $D$ for the likelihood of given data.
//
// ### Predict: who sees whom
//
// *Before* you run the table: chain triangular layers, each with a full triangle. How many pairs of a latent and *another* coordinate are blind, in that the latent cannot depend on the coordinate, when all layers look the same way, and when every other layer takes the coordinates in reverse?

// %% id="blind-pairs"
/**
 * Entries of the Jacobian of a chain of lower triangular layers that are 0 whatever the weights.
 * @param layers at least 1 @param turns whether every other layer looks the other way
 */
function blindPairs(D: number, layers: number, turns: 'never' | 'by turns'): number {
  // BEGIN SOLUTION flow.blindPairs
  // a product of triangles is a triangle; of a lower one and an upper one it has no zeros that must be
  return turns === 'by turns' && layers > 1 ? 0 : (D * (D - 1)) / 2;
  // END SOLUTION
}

// %% id="who-sees"
/** What `own` predicts; a dash while it is not written, or throws. */
const prediction =
  <Args extends readonly unknown[]>(own: (...args: Args) => number) =>
  (...args: Args): number | '–' => {
    try {
      return own(...args);
    } catch {
      return '–';
    }
  };
const blind = prediction(blindPairs);
/** Of the library's triangular Sylvester layers with random weights: zeros in the Jacobian at five points. */
function zerosOf(D: number, layers: number, turns: 'never' | 'by turns'): number {
  const here = rng.fork(`zeros ${D} ${layers} ${turns}`);
  const maps = Array.from({ length: layers }, (_, i) => {
    const layer = turns === 'by turns' ? i : 0;
    return sylvester(D, D, 'triangular', here.fork(`layer ${i}`), layer);
  });
  const there = (row: readonly number[]) =>
    Array.from(
      tf.tidy(() =>
        chain(...maps)
          .toLatent(tf.tensor2d([[...row]]))
          .z.dataSync(),
      ),
    );
  const jacobians = rowsOf(here.fork('points').normal([5, D])).map((row) => numericalJacobian(there, row, 0.02));
  const entries = Array.from({ length: D * D }, (_, at) => [Math.floor(at / D), at % D] as const);
  return entries.filter(([i, j]) => jacobians.every((J) => Math.abs(J[i]![j]!) < 1e-6)).length;
}
table(
  ([[4, 1, 'never'], [4, 8, 'never'], [4, 2, 'by turns'], [6, 8, 'by turns']] as const).map(([D, layers, turns]) => ({
    D,
    layers,
    'turn round': turns,
    predicted: blind(D, layers, turns),
    'measured, by differences': zerosOf(D, layers, turns),
  })),
  { caption: 'Blind pairs of triangular Sylvester layers', digits: 0 },
); // prettier-ignore

// %% id="check-blind-pairs"
await check('flow.blindPairs', blindPairs);

// %% [markdown] id="exponential-text"
// **The exponential of a matrix** is always invertible, $\exp(\mathbf{M})^{-1} = \exp(-\mathbf{M})$, and its log-determinant is a sum of $D$ numbers, the trace:
//
// $$\mathbf{z} = \exp(\mathbf{M})\, \mathbf{x} = \sum_{k=0}^{\infty} \frac{\mathbf{M}^k \mathbf{x}}{k!}, \qquad \ln \det \exp(\mathbf{M}) = \operatorname{tr} \mathbf{M},$$
//
// because the eigenvalues of $\exp(\mathbf{M})$ are the $e^{\lambda_i}$. No power of $\mathbf{M}$ is ever formed: each term is $\mathbf{M}$ times the term before it, over $k$. With a convolution for $\mathbf{M}$ this is the **convolution exponential** (Hoogeboom et al., 2020): invertible mixing of neighbouring pixels, whose trace is the kernel's middle times the number of pixels.
//
// ### Exercise: the exponential, term by term

// %% id="exponential"
/**
 * z = exp(M) x by the first terms of its series, k = 0 … terms.
 * @param x [B, D], examples in rows @param M [D, D] @param terms the last k @returns z [B, D], and logDet [B]
 */
function exponentialToLatent(x: tf.Tensor, M: tf.Tensor, terms: number): { z: tf.Tensor; logDet: tf.Tensor } {
  // BEGIN SOLUTION flow.exponential
  let term = x;
  let z = x;
  for (let k = 1; k <= terms; k++) {
    term = term.matMul(M, false, true).div(k); // examples are rows: x Mᵀ
    z = z.add(term);
  }
  const trace = M.mul(tf.eye(M.shape[0]!)).sum();
  return { z, logDet: tf.zeros([x.shape[0]!]).add(trace) };
  // END SOLUTION
}

// %% id="check-exponential"
await check('flow.exponential', exponentialToLatent);

// %% [markdown] id="own-exponential-text"
// **Your series at work.** $\exp(t\mathbf{M})\,\mathbf{x}$ as $t$ goes from 0 to 6 is a trajectory: here a spiral, with few terms and with many. Few terms are right near the start alone. (Volumes shrink by $e^{t \operatorname{tr} \mathbf{M}}$ all along, whatever the terms; with too few, that is not the determinant of what is computed.)

// %% id="own-exponential"
const ownExponential = yours(exponentialToLatent, (x: tf.Tensor, M: tf.Tensor) => {
  let power: tf.Tensor = tf.eye(M.shape[0]!).add(M.div(4096)); // exp(M) is near (I + M / 2¹²)^(2¹²)
  for (let i = 0; i < 12; i++) power = power.matMul(power);
  return { z: x.matMul(power, false, true), logDet: tf.zeros([x.shape[0]!]).add(M.mul(tf.eye(M.shape[0]!)).sum()) };
});
const spiral = tf.tensor2d([[-0.15, -1], [1, -0.15]]); // prettier-ignore
const times = Array.from({ length: 61 }, (_, i) => i / 10);
figure(
  [3, 6, 12, 30].map((terms) => {
    const path = times.map((t) => Array.from(tf.tidy(() => ownExponential(tf.tensor2d([[1, 0]]), spiral.mul(t), terms).z.dataSync()))); // prettier-ignore
    return { mode: 'lines', x: path.map(([a]) => a), y: path.map(([, b]) => b), name: `${terms} terms` };
  }),
  {
    title: `exp(tM) x: ${ownExponential.by()}`,
    xaxis: { range: [-1.6, 1.6], title: 'z₁' },
    yaxis: { range: [-1.2, 1.2], title: 'z₂', scaleanchor: 'x' },
  },
  { height: 360, alt: 'A spiral towards the middle, which series of few terms leave early' },
);

// %% [markdown] id="numerical-text"
// **Trust, and verify.** Two things can be checked of every layer without knowing what it does: that the way back undoes the way there, and that its log-determinant is the one of the Jacobian matrix by finite differences and elimination. The library's layers and *yours*, with random weights, at random points in six dimensions:

// %% id="numerical"
const layerRng = rng.fork('layers');
const six = { D: 6, kept: [0, 1, 2], moved: [3, 4, 5] };
const network = (outputs: number) => couplingNetwork(3, [16], outputs, layerRng.fork(`network ${outputs}`));
const layers: readonly (readonly [string, Bijection])[] = [
  ['activation normalisation', elementwise(6, affine(2))],
  ['affine coupling', coupling({ ...six, transform: affine(2), network: network(6) })],
  ['linear spline coupling', coupling({ ...six, transform: linearSpline(6, -3, 3), network: network(18) })],
  [
    'rational-quadratic coupling',
    coupling({ ...six, transform: rationalQuadraticSpline(6, -3, 3), network: network(57) }),
  ],
  ['planar', planar(6, layerRng.fork('planar'))],
  ['Householder', householder(6, 3, layerRng.fork('householder'))],
  ['Sylvester, orthogonal, M = 3', sylvester(6, 3, 'orthogonal', layerRng.fork('orthogonal'))],
  ['Sylvester, Householder', sylvester(6, 6, 'householder', layerRng.fork('reflections'))],
  ['Sylvester, triangular', sylvester(6, 6, 'triangular', layerRng.fork('triangular'))],
  ['convolution exponential, 2 × 3', convolutionExponential(2, 3, 3, layerRng.fork('convolution'))],
];
const wide = { w: layerRng.fork('w').normal([6]), u: layerRng.fork('u').normal([6]) };
const square6 = tf.tidy(() => layerRng.fork('M').normal([6, 6]).mul(0.3));
const lower = tf.tensor2d([[1.5, 0, 0], [0.4, -0.7, 0], [-1, 0.3, 0.9]]); // prettier-ignore
const ownMix = yours(mixChannels, (x: tf.Tensor, W: tf.Tensor) => {
  const flat = x.reshape([x.shape[0]!, -1]);
  const pixels = flat.shape[1]! / W.shape[0]!;
  const whole = tf.tidy(() => W.expandDims(0).mul(tf.eye(pixels).reshape([pixels, 1, 1, pixels]).reshape([pixels * pixels, 1, 1]))); // [P P, C, C]
  const blocks = whole.reshape([pixels, pixels, W.shape[0]!, W.shape[0]!]).transpose([0, 2, 1, 3]).reshape([flat.shape[1]!, -1]);
  const logDet = logAbsDet(blocks.arraySync() as number[][]);
  return { z: flat.matMul(blocks, false, true).reshape(x.shape), logDet: tf.fill([x.shape[0]!], logDet) };
}); // prettier-ignore
const saidBy = network(6);
const ownLayers: readonly (readonly [string, { by(): string }, Bijection['toLatent'], Bijection['toData']?])[] = [
  ['planarToLatent', ownPlanar, (x) => ownPlanar(x, wide.w, wide.u, 0.3)],
  ['affineCoupling, reversed; stepToData', ownStep, (x) => {
    const { z, logDet } = ownStep(x, saidBy.apply);
    return { z: z.reverse(1), logDet };
  }, (z) => ownBack(z, saidBy.apply)],
  ['reflect', mirror, (x) => ({ z: mirror(x, wide.u), logDet: tf.zeros([x.shape[0]!]) }), (z) => mirror(z, wide.u)],
  ['mixChannels, 1 × 2 pixels of 3', ownMix, (x) => {
    const { z, logDet } = ownMix(x.reshape([-1, 1, 2, 3]), lower);
    return { z: z.reshape([-1, 6]), logDet };
  }],
  ['exponentialToLatent', ownExponential, (x) => ownExponential(x, square6, 20), (z) => ownExponential(z, square6.neg(), 20).z],
]; // prettier-ignore
for (const [, , toLatent] of ownLayers) tf.tidy(() => toLatent(tf.zeros([1, 6]))); // now it is known who answers
const noWayBack = () => tf.fill([5, 6], NaN);
const own6 = ownLayers.map(([layer, who, toLatent, toData = noWayBack]) => {
  const variables = who === ownStep ? saidBy.variables : []; // a new network says 0: it is given random weights, too
  return [`${layer}: ${who.by()}`, { variables, toLatent, toData }] as const;
});
table(
  [...layers, ...own6].map(([layer, { variables, toLatent, toData }], i) =>
    tf.tidy(() => {
      for (const [j, v] of variables.entries()) v.assign(layerRng.fork(`${i} ${j}`).normal(v.shape).mul(0.3).add(v));
      const x = layerRng.fork(`points ${i}`).uniform([5, 6]).mul(5).sub(2.5);
      const { z, logDet } = toLatent(x);
      const there = (row: readonly number[]) => Array.from(toLatent(tf.tensor2d([[...row]])).z.dataSync());
      const numerical = rowsOf(x).map((row) => logAbsDet(numericalJacobian(there, row, 2e-3)));
      const errors = Array.from(logDet.dataSync(), (value, n) => Math.abs(value - numerical[n]!));
      const back = toData(z).sub(x).abs().max().dataSync()[0]!;
      return {
        layer,
        'way back: largest error': Number.isNaN(back) ? '–' : back,
        'log-determinant of the first point': logDet.dataSync()[0]!,
        'by differences': numerical[0]!,
        'largest difference of five': errors.reduce((a, b) => Math.max(a, b)),
      };
    }),
  ),
  { caption: 'Layers, checked without knowing what is in them', digits: 4 },
);

// %% [markdown] id="objective"
// ## 3 Objective
//
// For real data the exact negative log-likelihood, $-\ln p(\mathbf{z}) - \ln|\det|$. There is nothing to approximate.
//
// Pictures are integers, and a density of integers can be made as large as one likes: spikes on the integers cost nothing. **Dequantisation** fills the gaps. With noise $\mathbf{u} \in [0, 1)^D$,
//
// $$\ln P(\mathbf{x}) = \ln \int_{[0,1)^D} p(\mathbf{x} + \mathbf{u})\, \mathrm{d}\mathbf{u} \;\ge\; \mathbb{E}_{q(\mathbf{u} \mid \mathbf{x})} \bigl[ \ln p(\mathbf{x} + \mathbf{u}) - \ln q(\mathbf{u} \mid \mathbf{x}) \bigr].$$
//
// * **Uniform** noise has $\ln q = 0$. The flow then has to model little cubes with sharp edges.
// * **Learnt** (variational) noise (Ho et al., 2019) puts $\mathbf{u}$ where the flow finds it easy, and pays $\ln q$ for being predictable. Here it is logistic noise, scaled and shifted by a network that sees $\mathbf{x}$, through a sigmoid. It is trained with the flow, by the same bound.
// * **Several draws** at test time: $\ln \frac{1}{K} \sum_k e^{w_k}$ with $w_k = \ln p(\mathbf{x} + \mathbf{u}_k) - \ln q(\mathbf{u}_k \mid \mathbf{x})$ is a bound as well, by the same inequality, and a tighter one (Burda et al., 2016). It costs $K$ evaluations and no training (`importanceBound`).
//
// All three are lower bounds on one and the same $P(\mathbf{x})$, and can be compared with the exact probabilities of the ladder: whoever reports a bound can only be better than reported.
//
// One more thing the pictures need: they live in $[0, 17)^{64}$, and nowhere else. NICE and RealNVP first map that interval, with a small margin, onto the whole line by a logit. Splines need no such thing; their interval is $[0, 17]$, and *with a knot at every integer* the density is constant over each cell in the coordinate that is moved, which is what uniform noise asks for.

// %% [markdown] id="optimiser"
// ## 4 Optimiser
//
// * **AdamW**, learning rate 0.001 for NICE and RealNVP, and 0.002 for splines, whose logits have further to go. Weight decay matters: with a thousand pictures, the networks of the couplings overfit within twenty passes.
// * **Zero at the start.** The last layer of every coupling's network starts at 0, so that the flow starts as a simple map and the bends grow from there (Kingma and Dhariwal, 2018).
// * **Activation normalisation**: a learnt scale and shift for each coordinate between couplings, in place of batch normalisation, whose determinant would depend on the other examples.
// * **Clipped gradients**, against the one minibatch in which an $e^s$ explodes.
// * **The average of the weights** over the last hundred steps or so (`ema: 0.99`) is what is validated and kept. It smooths what the noise of dequantisation shakes.

// %% [markdown] id="training"
// ## 5 Training
//
// RealNVP on the digits with uniform noise, the same flow with learnt noise, and NICE.

// %% id="train-realnvp"
const EPOCHS = 24; // of the default budget
const affineRun = {
  epochs: budgeted(EPOCHS, 100),
  learningRate: realNvp.defaults.learningRate,
  batchSize: 64,
  weightDecay: 0.3,
};
async function trainRealNvp(noise: 'uniform' | 'learnt', here: Rng, epochs = affineRun.epochs) {
  const model = realNvp.create({ ...realNvp.defaults, noise }, here.fork('weights'));
  return { model, run: await train(model, digits, here.fork('fit'), { ...affineRun, epochs }) };
}
const uniform = await trainRealNvp('uniform', rng.fork('uniform'));
lossCurve(uniform.run, { title: 'RealNVP, uniform noise', unit: 'nats per image, a bound' });

// %% id="train-learnt"
const learnt = await trainRealNvp('learnt', rng.fork('learnt'));
lossCurve(learnt.run, { title: 'RealNVP, learnt noise', unit: 'nats per image, a bound' });

// %% id="train-nice"
const additiveFlow = nice.create(nice.defaults, rng.fork('nice'));
const niceRun = await train(additiveFlow, digits, rng.fork('nice run'), {
  ...affineRun,
  epochs: budgeted(EPOCHS, 200),
});
lossCurve(niceRun, { title: 'NICE, uniform noise', unit: 'nats per image, a bound' });

// %% [markdown] id="train-reading"
// Both RealNVPs turn round after some twenty passes, and the training loss goes on falling: 700,000 weights, a thousand pictures. NICE takes longer, since it can only shift.
//
// What noise is worth, and what draws are worth, on the validation set. The first column is what training minimised.

// %% id="draws"
const bounds = [
  { model: 'RealNVP, uniform noise', of: uniform.model },
  { model: 'RealNVP, learnt noise', of: learnt.model },
  { model: 'NICE, uniform noise', of: additiveFlow },
].map(({ model, of }) => ({
  model,
  ...Object.fromEntries(
    [1, 4, 16].map((draws) => [
      draws === 1 ? '1 draw' : `${draws} draws`,
      evaluate(importanceBound(of, draws), digits.validation, rng.fork('draws'), { batchSize: 100 }).nats,
    ]),
  ),
}));
table(bounds, {
  caption: 'Validation set: nats per image. Every number is a valid bound; more draws, a tighter one',
  digits: 2,
});

// %% [markdown] id="hyperparameters"
// ## 6 Hyperparameters and the likelihood of new inputs
//
// **Spline couplings from coarse to fine.** The first pixel gets a histogram. Then the pixels half-way between those that are known are moved given all that are known, and again, and again, until the last group, half of the picture, is moved given the other half. Each group is uniform when it has been moved, and nobody looks at it again. Dealing every level out to more groups costs more networks and lets more pixels see their neighbours. This is the multi-scale idea of RealNVP, and half-way to an autoregressive model (chapter 5): groups in place of single pixels.

// %% id="sweep"
interface Setting {
  readonly parts: number;
  readonly spline: 'linear' | 'rational-quadratic';
  readonly hidden: number;
}
const settings: readonly Setting[] = [
  { parts: 1, spline: 'linear', hidden: 128 },
  { parts: 2, spline: 'linear', hidden: 128 },
  { parts: 4, spline: 'linear', hidden: 128 },
  ...(fullBudget()
    ? ([
        { parts: 4, spline: 'linear', hidden: 256 },
        { parts: 2, spline: 'rational-quadratic', hidden: 128 },
      ] as const)
    : []),
];
async function trainSpline(setting: Setting, here: Rng, epochs = budgeted(EPOCHS, 120)): Promise<FlowModel> {
  const { parts, spline, hidden } = setting;
  const config = { ...splineFlow.defaults, groups: coarseToFine(8, 8, parts), spline, hidden: [hidden, hidden] };
  const model = splineFlow.create(config, here.fork('weights'));
  const options = { epochs, learningRate: splineFlow.defaults.learningRate, batchSize: 64, weightDecay: 1 };
  await train(model, digits, here.fork('fit'), options);
  return model;
}
const results = await sweep(settings, trainSpline, digits.validation, rng.fork('sweep'));
table(
  results.map(({ setting, model, validation }) => ({
    ...setting,
    networks: coarseToFine(8, 8, setting.parts).length - 1,
    train: evaluate(model, digits.train, rng).nats,
    validation: validation.nats,
    standardError: validation.standardError,
  })),
  { caption: 'Spline flows, best on the validation set first: nats per image, bounds by one draw', digits: 2 },
);

// %% [markdown] id="ladder-text"
// ### The ladder
//
// RealNVP with both noises and the best spline flow, three seeds each, bounds by 16 draws, and by one, the number that is usually printed; NICE, and a RealNVP whose data are only standardised. With the full budget (`--budget full`) also what the default one gives, with a quarter of the passes at most. Two kinds of error: the standard error over the test images says how far a number would move with other images (the noise of a bound's own draws is in it); the spread over seeds, how far if trained again. Differences from the best rung are paired, image by image, and known better than either number. Only now the test set is looked at.

// %% id="ladder"
const winner = results[0]!;
const seeds = [rng.fork('second seed'), rng.fork('third seed')];
const uniforms = [uniform.model];
const learnts = [learnt.model];
const splinesOf = [winner.model];
for (const here of seeds) {
  uniforms.push((await trainRealNvp('uniform', here.fork('uniform'))).model);
  learnts.push((await trainRealNvp('learnt', here.fork('learnt'))).model);
  splinesOf.push(await trainSpline(winner.setting, here.fork('spline')));
}
const onTheLine = { ...realNvp.defaults, domain: 'reals', low: 0, high: V } as const;
const withoutLogit = realNvp.create(onTheLine, rng.fork('without logit'));
await train(withoutLogit, digits, rng.fork('without logit, run'), affineRun);
const sixteen = (models: readonly GenerativeModel[]) => models.map((model) => importanceBound(model, 16));
const brief = [];
if (fullBudget()) {
  // what the default budget would have given, one seed each
  const here = rng.fork('brief');
  const { model } = await trainRealNvp('learnt', here.fork('learnt'), EPOCHS);
  const spline = await trainSpline(winner.setting, here.fork('spline'), EPOCHS);
  brief.push(
    { name: 'RealNVP, learnt, 16 draws, default', model: sixteen([model]) },
    { name: 'spline flow, 16 draws, default', model: sixteen([spline]) },
  );
}
const rungs = rungsOf(
  [
    ...(await baselines(digits, rng.fork('baselines'))),
    { name: `histogram as a flow: ${ownHistogram.by()}`, model: histogramFlow },
    { name: 'NICE, 1 draw', model: additiveFlow },
    { name: 'RealNVP without logit, 1 draw', model: withoutLogit },
    { name: 'RealNVP, uniform, 1 draw', model: uniforms },
    { name: 'RealNVP, uniform, 16 draws', model: sixteen(uniforms) },
    { name: 'RealNVP, learnt, 16 draws', model: sixteen(learnts) },
    { name: 'spline flow, 1 draw', model: splinesOf },
    { name: 'spline flow, 16 draws', model: sixteen(splinesOf) },
    ...brief,
  ],
  digits.test,
  rng.fork('test'),
);
ladder(rungs, { title: 'Nats per test image; bars: standard error over the images' });
table(
  rungs.map(({ name, nats, kind, error, spread, behind, behindError }) => ({
    name,
    nats,
    kind,
    'error over images': error,
    'spread of 3 seeds': spread ?? '',
    'above the best': behind,
    'its error (paired)': behindError,
  })),
  { caption: 'Test set: nats per image', digits: 2 },
);

// %% [markdown] id="ladder-reading"
// The book's RealNVP, with a valid bound, is at 124 nats on this data and loses to an untrained histogram. Most of the difference to the one here is the logit: without it, the flow has to build the edges of the data, where most pixels lie, out of smooth bends. Noise that is learnt, and draws that are counted together, are worth some nats each. For the spline flow further draws change little: its bound is almost tight from the start.
//
// **Known entropy.** The plane has a source whose entropy is known: two moons in $32 \times 32$ cells, dequantised. For each flow, $\mathrm{KL}[p \,\|\, q] = \text{NLL} - H$ on 20,000 fresh points is a number, and one below 0 by more than chance would prove a bug. The source is constant on its cells, so a spline with knots at the cells' edges could copy it, which would say nothing about splines; theirs are put half a cell off. Your own flow of section 2 has its row.

// %% id="known-entropy"
const fresh = { x: moons.sample({ count: 20_000, rng: rng.fork('fresh') }) };
const own = evaluate(moons, fresh, rng).nats; // the source's own score on the same points: H up to sampling error
const inPlane = rng.fork('in the plane');
const couplings = { ...realNvp.defaults, ...onPlane, masks: [[0], [1]], hidden: [64, 64] };
const offTheCells = { ...splineFlow.defaults, ...onPlane, domain: 'interval', low: -0.5, high: 32.5, groups: [[0], [1]], hidden: [64, 64] } as const; // prettier-ignore
const candidates: readonly (readonly [string, FlowModel, number])[] = [
  ['NICE, 8 couplings', nice.create({ ...nice.defaults, ...onPlane, hidden: [64, 64] }, inPlane.fork('nice')), 20],
  ['planar, 16 maps', planarFlow.create({ ...planarFlow.defaults, ...onPlane }, inPlane.fork('planar')), 12],
  [
    'Sylvester (Householder), 16 maps',
    sylvesterFlow.create({ ...sylvesterFlow.defaults, ...onPlane }, inPlane.fork('sylvester')),
    12,
  ],
  [
    'RealNVP with reflections, 8 couplings',
    realNvp.create({ ...couplings, mixing: 'householder' }, inPlane.fork('mixing')),
    12,
  ],
  [
    'rational-quadratic spline',
    splineFlow.create({ ...offTheCells, bins: 16, spline: 'rational-quadratic' }, inPlane.fork('quadratic')),
    40,
  ],
  ['linear spline', splineFlow.create({ ...offTheCells, bins: 33 }, inPlane.fork('linear')), 40],
];
const plotted: [string, GenerativeModel][] = [['the source', moons]];
const divergences = [];
for (const [name, model, epochs] of candidates) {
  const here = inPlane.fork(name.replaceAll('/', ' '));
  const run = await train(model, plane, here, {
    epochs: budgeted(epochs, 3 * epochs),
    learningRate: 0.003,
    batchSize: 256,
  });
  const { nats, standardError } = evaluate(model, fresh, here);
  divergences.push({ flow: name, NLL: nats, standardError, KL: nats - own, seconds: run.milliseconds / 1000 });
  plotted.push([name, model]);
}
const ownNats = evaluate(ownFlow, fresh, rng);
divergences.push({
  flow: `eight affine couplings of section 2: ${ownStep.by()}`,
  NLL: ownNats.nats,
  standardError: ownNats.standardError,
  KL: ownNats.nats - own,
  seconds: ownRun.milliseconds / 1000,
});
const bentNats = evaluate(bent, fresh, rng);
divergences.push({
  flow: 'RealNVP, 8 couplings (the first picture)',
  NLL: bentNats.nats,
  standardError: bentNats.standardError,
  KL: bentNats.nats - own,
  seconds: bentRun.milliseconds / 1000,
});
table(
  divergences.sort((a, b) => a.KL - b.KL),
  {
    caption: `Two moons: H = ${moons.entropy.toFixed(3)} nats; the source's own NLL on these points is ${own.toFixed(3)}`,
    digits: 3,
  },
);

// %% id="plane-densities"
const ticks = Array.from({ length: 64 }, (_, i) => 0.25 + i / 2);
const gridPoints = tf.tensor2d(ticks.flatMap((y) => ticks.map((x) => [x, y])));
const densityOf = (model: GenerativeModel) =>
  tf.tidy(() => {
    if (!('logProb' in model.likelihood)) throw new Error('a flow has a log-density');
    return model.likelihood.logProb(gridPoints, rng).exp().dataSync();
  });
const panelsOf = (names: readonly string[]) =>
  plotted
    .filter(([name]) => names.includes(name))
    .map(([title, model]) => ({ x: ticks, y: ticks, density: densityOf(model), title: title.split(',')[0]! }));
density2d(panelsOf(['the source', 'NICE, 8 couplings', 'planar, 16 maps']));
density2d(panelsOf(['Sylvester (Householder), 16 maps', 'RealNVP with reflections, 8 couplings', 'linear spline']));

// %% [markdown] id="sampling"
// ## 7 Sampling
//
// Draw $\mathbf{z}$ from the base and take it back: one pass, all pixels at once. (Planar and Sylvester flows have no closed form for that direction. Along each of their directions it is one equation with one unknown, which increases, so halving an interval solves it; this is how the library samples from them.)

// %% id="samples"
const grey = (model: GenerativeModel, label: string) => rowsOf(model.sample({ count: 20, rng: rng.fork(label) }));
imageGrid(grey(learnt.model, 'realnvp samples'), {
  height: 8,
  width: 8,
  columns: 10,
  levels: V,
  title: 'RealNVP, learnt noise',
});
imageGrid(grey(winner.model, 'spline samples'), { height: 8, width: 8, columns: 10, levels: V, title: 'Spline flow' });

// %% [markdown] id="between-text"
// Every picture has a latent, so there is a straight line between any two: below, between test digits, in the latent space of RealNVP. Pictures in between are not averages of pixels.

// %% id="between"
const ends = tf.tidy(() => learnt.model.toLatent(digits.test.x.slice([0, 0], [6, 64]).add(0.5)).z);
const between = tf.tidy(() => {
  const [from, to] = [ends.slice([0, 0], [3, 64]), ends.slice([3, 0], [3, 64])];
  const steps = Array.from({ length: 9 }, (_, i) => from.mul(1 - i / 8).add(to.mul(i / 8))); // [3, 64] each
  return learnt.model
    .toData(tf.stack(steps, 1).reshape([-1, 64]))
    .floor()
    .clipByValue(0, V - 1); // [3 · 9, 64]
});
imageGrid(rowsOf(between), {
  height: 8,
  width: 8,
  columns: 9,
  levels: V,
  title: 'From one test digit to another, in three rows',
});

// %% [markdown] id="card-text"
// ## The card
//
// The lecture's overview, filled in for this family.

// %% id="card"
card(realNvp.card);

// %% [markdown] id="bug"
// ## The bug to find
//
// A published notebook trains RealNVP on these digits. Its training loop makes integers real like this, up to notation:
//
// `x = x + (1 - uniform) / 2`
//
// and prints, for each picture, the negative log-density of the result as the negative log-likelihood. Samples look fine, losses go down, nothing crashes. The number it reports is 122.8 nats, and what this noise proves of the model is **44.4 nats worse**: 167.2, far beyond an untrained histogram.
//
// ### Exercise: repair it
//
// `logDensity` is a density on $\mathbb{R}^D$, as a function of a batch. Return a lower bound on the log-probability of integers, by one draw of *uniform* noise that fills each cell, fresh for every pixel of every example.
//
// The cell after it trains a small flow on the plane by your bound and compares it with the known entropy $H$: no model of these integers can have an expected NLL below $H$.
//
// ### Predict: how far below the entropy
//
// *Before* you run it with the code that is given: how far below $H$ may the claimed number come, when the noise of every coordinate fills only a part of its unit cell? Write it as a function of the dimension and of that part; the 44.4 nats above are one of its values. (Its cell and its check come after the table.)

// %% id="dequantise"
/**
 * A lower bound on ln P(x) of integers by a density of real numbers: E_u ln p(x + u), with one draw of u.
 * @param x integers, [B, D] @param logDensity [B, D] → [B] @param rng the one source of noise @returns [B]
 */
function lowerBound(x: tf.Tensor, logDensity: (x: tf.Tensor) => tf.Tensor, rng: Rng): tf.Tensor {
  // BEGIN SOLUTION flow.dequantise
  // The code that was given draws u from (0, ½]: a flow may put all its mass into half of each side of a cell,
  // where the density is 2^D times as high. ln q(u) = D ln 2 is not 0 then, and was not subtracted: D ln 2 = 44.4 nats.
  const u = rng.uniform(x.shape);
  return logDensity(x.add(u));
  // END SOLUTION
  // BEGIN GIVEN
  // const u = tf.sub(1, rng.uniform(x.shape)).div(2);
  // return logDensity(x.add(u));
  // END GIVEN
}

// %% id="dequantise-entropy"
const cells = planeSource('two moons'); // integers 0 … 31
const byYourBound = splineFlow.create(
  { ...splineFlow.defaults, ...onPlane, domain: 'interval', bins: 64, groups: [[0], [1]], hidden: [64, 64] },
  rng.fork('suspect'),
);
const logDensity = (x: tf.Tensor) => byYourBound.toLatent(x).logDet; // the base is uniform: ln p(z) = 0
const suspect: GenerativeModel = {
  ...byYourBound,
  likelihood: { kind: 'lower-bound', logProb: (x, here) => tf.tidy(() => lowerBound(x, logDensity, here)) },
  objectives: [
    {
      ...byYourBound.objectives[0]!,
      estimates: 'bound',
      loss: ({ x }, here) => tf.tidy(() => lowerBound(x, logDensity, here).mean().neg()),
    },
  ],
};
const integersOfPlane = {
  train: { x: cells.sample({ count: 10_000, rng: rng.fork('cells') }) },
  validation: { x: cells.sample({ count: 2000, rng: rng.fork('cells, validation') }) },
};
await train(suspect, integersOfPlane, rng.fork('suspect run'), {
  epochs: budgeted(30),
  learningRate: 0.003,
  batchSize: 256,
});
const claimed = evaluate(suspect, { x: cells.sample({ count: 20_000, rng: rng.fork('cells, fresh') }) }, rng);
table(
  [
    {
      'H, nats': cells.entropy,
      'claimed NLL': claimed.nats,
      standardError: claimed.standardError,
      'NLL − H': claimed.nats - cells.entropy,
    },
  ],
  {
    caption:
      claimed.nats < cells.entropy - 5 * claimed.standardError
        ? 'Below the entropy: this likelihood is wrong'
        : 'Not below the entropy',
    digits: 3,
  },
);

// %% id="check-dequantise"
await check('flow.dequantise', lowerBound);

// %% id="narrow-claim"
/**
 * The lowest NLL − H that a flow can claim when the noise of every coordinate fills only `width` of its unit cell.
 * @param width 0 < width ≤ 1 @returns nats, at most 0
 */
function narrowClaim(D: number, width: number): number {
  // BEGIN SOLUTION flow.narrowClaim
  return D * Math.log(width); // all of P(x) in width^D of the cell: a density of P(x) / width^D
  // END SOLUTION
}

// %% id="narrow-claims"
const claim = prediction(narrowClaim);
/** The same small flow, trained and judged with noise that fills `width` of each side. */
async function claimedWith(width: number): Promise<number> {
  const here = rng.fork(`noise of width ${width}`);
  const config = { ...splineFlow.defaults, ...onPlane, domain: 'interval', bins: 64, groups: [[0], [1]], hidden: [64, 64] } as const; // prettier-ignore
  const flow = splineFlow.create(config, here.fork('weights'));
  const bound = (x: tf.Tensor, noise: Rng) =>
    tf.tidy(() => flow.toLatent(x.add(noise.uniform(x.shape).mul(width))).logDet);
  const narrow: GenerativeModel = {
    ...flow,
    likelihood: { kind: 'lower-bound', logProb: bound },
    objectives: [{ ...flow.objectives[0]!, estimates: 'bound', loss: ({ x }, noise) => bound(x, noise).mean().neg() }],
  };
  await train(narrow, integersOfPlane, here, { epochs: budgeted(15), learningRate: 0.003, batchSize: 256 });
  return evaluate(narrow, { x: cells.sample({ count: 20_000, rng: here.fork('fresh') }) }, here).nats;
}
const widths = [];
for (const width of [1, 0.5])
  widths.push({
    'noise fills, of each side': width,
    'NLL − H': (await claimedWith(width)) - cells.entropy,
    'the lowest possible, predicted': claim(2, width),
  });
table(widths, { caption: 'What noise lets a flow on the plane claim, in nats', digits: 3 });

// %% id="check-narrow-claim"
await check('flow.narrowClaim', narrowClaim);

// %% [markdown] id="costs"
// ## What it costs
//
// Measured on this machine, now, compiled, as training is: the likelihood of a batch of 400 and samples in a batch of 400, each by its second call, since the first one compiles. Couplings cost the same in both directions; planar and Sylvester maps pay for the missing closed form with a search of nine rounds, seven points each, for every direction. The last column is the likelihood once more, eagerly: one operation after the other, as a notebook runs plain TensorFlow.js. That is the cost of the interpreter, and not of the model.

// %% id="measure-costs"
/** Milliseconds an example, of the second call. */
async function timed(count: number, body: () => unknown): Promise<number> {
  await body();
  const started = performance.now();
  await body();
  return (performance.now() - started) / count;
}
const flows: readonly (readonly [string, FlowModel])[] = [
  ['NICE on digits', additiveFlow],
  ['RealNVP on digits', uniform.model],
  ['spline flow on digits', winner.model],
  ...candidates
    .filter(([name]) => /planar|Sylvester/.test(name))
    .map(([name, model]) => [`${name}, on the plane`, model] as const),
];
const costs = [];
for (const [flow, model] of flows) {
  const count = 400;
  const x = tf.tidy(() => (model.eventShape[0] === 64 ? digits : plane).train.x.slice(0, count).clone());
  costs.push({
    flow,
    weights: model.bijection.variables.reduce((sum, variable) => sum + variable.size, 0),
    'likelihood, ms': await timed(count, () => evaluate(model, { x }, rng, { batchSize: count })),
    'sample, ms': await timed(count, () => model.sample({ count, rng: rng.fork('cost') }).dispose()),
    'likelihood, eager, ms': await timed(100, () => tf.tidy(() => model.toLatent(x.slice(0, 100)).logDet.dataSync())),
  });
}
table(costs, { caption: 'Milliseconds an example', digits: 3 });

// %% [markdown] id="failures"
// ## Where it fails
//
// **Topology.** A flow is a continuous map with a continuous inverse, and such a map cannot tear space. A Gaussian is in one piece; data that lie in eight separate pieces, or on a ring with a hole, have to be imitated by thin filaments between the pieces (Cornish et al., 2020). Below, the density of a RealNVP on eight separate Gaussians; the filaments carry mass that the source does not have. The spline flow, whose base is uniform on a square and whose slope may be almost 0, comes closer: it squeezes the bridges thin.

// %% id="failure-topology"
const hills = dequantisedSource(planeSource('eight Gaussians'));
const hillData = {
  train: { x: hills.sample({ count: 10_000, rng: rng.fork('hills') }) },
  validation: { x: hills.sample({ count: 2000, rng: rng.fork('hills, validation') }) },
};
const freshHills = { x: hills.sample({ count: 20_000, rng: rng.fork('fresh hills') }) };
const torn: [string, FlowModel, number][] = [
  ['RealNVP', realNvp.create(couplings, rng.fork('torn')), 16],
  ['linear spline', splineFlow.create({ ...offTheCells, bins: 33 }, rng.fork('torn spline')), 40],
];
const hillPanels = [{ x: ticks, y: ticks, density: densityOf(hills), title: 'the source' }];
const hillRows = [];
for (const [name, model, epochs] of torn) {
  await train(model, hillData, rng.fork(`torn ${name}`), {
    epochs: budgeted(epochs, 3 * epochs),
    learningRate: 0.003,
    batchSize: 256,
  });
  hillPanels.push({ x: ticks, y: ticks, density: densityOf(model), title: name });
  const drawnPoints = model.sample({ count: 20_000, rng: rng.fork(`drawn ${name}`) });
  const rare = tf.tidy(
    () => hills.logProb(drawnPoints.clipByValue(0, 31.999)).less(Math.log(1e-5)).mean().dataSync()[0]!,
  );
  hillRows.push({
    flow: name,
    KL: evaluate(model, freshHills, rng).nats - evaluate(hills, freshHills, rng).nats,
    'samples where the source has almost no mass': rare,
  });
}
density2d(hillPanels);
table(hillRows, { caption: 'Eight separate hills', digits: 3 });

// %% [markdown] id="failures-more"
// **As many latents as pixels.** Nothing may be thrown away, so $\mathbf{z}$ is no summary: it is as long as $\mathbf{x}$, and every pixel's noise is in it. Most of the likelihood of a picture is the likelihood of its noise. Flows trained on one kind of picture can give another kind a *higher* likelihood (Nalisnick et al., 2019), as chapter 13 will see.
//
// **Integers are not where flows are at home.** Noise has to be added, to be modelled, and to be bounded away again. Chapter 7 builds flows on the integers themselves.
//
// **Inverses in floating point.** A map can be invertible on paper, and lose all its digits in float32 where its slope is $10^{-7}$. The table of layers above is what to look at first when samples turn to noise while the likelihood looks fine.
//
// ### Sources
//
// O. Rippel, R. P. Adams, *High-dimensional probability estimation with deep density models* (2013). L. Dinh, D. Krueger, Y. Bengio, *NICE*, ICLR workshop 2015. D. Rezende, S. Mohamed, *Variational inference with normalizing flows*, ICML 2015. J. Tomczak, M. Welling, *Improving variational auto-encoders using Householder flow* (2016). L. Theis, A. van den Oord, M. Bethge, *A note on the evaluation of generative models*, ICLR 2016. Y. Burda, R. Grosse, R. Salakhutdinov, *Importance weighted autoencoders*, ICLR 2016. L. Dinh, J. Sohl-Dickstein, S. Bengio, *Density estimation using RealNVP*, ICLR 2017. D. Kingma, P. Dhariwal, *Glow*, NeurIPS 2018. D. Kingma et al., *Improving variational inference with inverse autoregressive flow*, NeurIPS 2016. G. Papamakarios, T. Pavlakou, I. Murray, *Masked autoregressive flow for density estimation*, NeurIPS 2017. R. van den Berg et al., *Sylvester normalizing flows*, UAI 2018. J. Ho et al., *Flow++*, ICML 2019. T. Müller et al., *Neural importance sampling*, ACM Transactions on Graphics 38 (2019). C. Durkan et al., *Neural spline flows*, NeurIPS 2019. E. Nalisnick et al., *Do deep generative models know what they don't know?*, ICLR 2019. E. Hoogeboom et al., *The convolution exponential and generalized Sylvester flows*, NeurIPS 2020. R. Cornish et al., *Relaxing bijectivity constraints with continuously indexed normalising flows*, ICML 2020. G. Papamakarios et al., *Normalizing flows for probabilistic modeling and inference*, JMLR 22 (2021). J. Tomczak, *Deep Generative Modeling* (2024), chapter 4, whose RealNVP notebook (github.com/jmtomczak/intro_dgm) has the bug.
