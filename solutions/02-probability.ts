// %% [markdown] id="title" tags=["foundation"]
// # 2 A toolbox of probability
//
// Every model of this course is trained and judged with a handful of formulas: entropy, cross-entropy, the Kullback–Leibler divergence, three likelihoods, and two ways to differentiate an expectation. They are short, and most wrong numbers in this field come from one of them: a mean where a sum belongs, a standard deviation where a variance belongs, bits reported as nats. In this chapter you write each of them once, so well that you can trust it later.
//
// No family of models is trained here, so the seven steps are missing. They begin with chapter 3. Everything printed below was computed by running this file (`npm run solutions -- 02`).

// %% tags=["setup"] id="setup"
import * as tf from '@tensorflow/tfjs';
import { check, NotWritten, yours } from 'grader';
import {
  bitsPerDim,
  createRng,
  dequantise,
  evaluate,
  figure,
  histogramBaseline,
  klNormal,
  load,
  logBernoulli,
  logMeanExp,
  logNormal,
  table,
} from 'dgm';

const rng = createRng(2); // the one seed of this chapter

// %% [markdown] id="why"
// ## Why: near in which sense?
//
// To learn a distribution is to find a $q$ near the distribution $p$ of the data. "Near" has to be a number, and the choice matters. Below, one Gaussian is fitted to a $p$ with two humps, twice: once it minimises $\mathrm{KL}[p\,\|\,q]$, once $\mathrm{KL}[q\,\|\,p]$. The first pays dearly for every place where $p$ has mass and $q$ has none, so it covers both humps and the empty valley between them: **mode-covering** (zero-avoiding, the inclusive KL). The second pays for every place where $q$ has mass and $p$ has none, so it settles on one hump and ignores the other: **mode-seeking** (zero-forcing, the exclusive KL).
//
// Maximum likelihood minimises the first. Variational inference, from chapter 8 on, minimises the second.

// %% id="why-picture"
const xs = Array.from({ length: 401 }, (_, i) => -8 + i * 0.04);
const logDensity = (x: number, mu: number, sigma: number) =>
  -0.5 * (Math.log(2 * Math.PI) + ((x - mu) / sigma) ** 2) - Math.log(sigma);
const humps = (x: number) => Math.log(0.6 * Math.exp(logDensity(x, -2, 0.7)) + 0.4 * Math.exp(logDensity(x, 2.5, 1)));
const logP = xs.map(humps);
const integral = (f: (x: number, i: number) => number) => xs.reduce((sum, x, i) => sum + 0.04 * f(x, i), 0);

/** KL[a ‖ b] of two densities, given by their logarithms on the grid. */
const divergence = (a: readonly number[], b: readonly number[]) =>
  integral((_, i) => Math.exp(a[i]!) * (a[i]! - b[i]!));
const candidates = Array.from({ length: 61 }, (_, i) => -3 + i * 0.1).flatMap((mu) =>
  Array.from({ length: 30 }, (_, i) => ({ mu, sigma: 0.2 + i * 0.1 })),
);
const scored = candidates.map(({ mu, sigma }) => {
  const logQ = xs.map((x) => logDensity(x, mu, sigma));
  return { mu, sigma, logQ, forward: divergence(logP, logQ), reverse: divergence(logQ, logP) };
});
const covering = scored.reduce((a, b) => (b.forward < a.forward ? b : a));
const settling = scored.reduce((a, b) => (b.reverse < a.reverse ? b : a));
const curve = (name: string, log: readonly number[]) => ({ x: xs, y: log.map(Math.exp), mode: 'lines', name });
figure(
  [
    curve('p', logP),
    curve(`least KL[p ‖ q] = ${covering.forward.toFixed(2)} nats`, covering.logQ),
    curve(`least KL[q ‖ p] = ${settling.reverse.toFixed(2)} nats`, settling.logQ),
  ],
  { title: 'Two Gaussians, each nearest to p in its own sense', xaxis: { title: 'x' }, yaxis: { title: 'density' } },
);

// %% [markdown] id="rules"
// ## Four rules and one inequality
//
// Everything below follows from four rules of probability,
//
// $$\textbf{sum rule: } p(x) = \sum_y p(x, y), \qquad \textbf{product rule: } p(x, y) = p(x \mid y)\, p(y),$$
//
// the **conditional** $p(y \mid x) = p(x, y) / p(x)$, which with both rules is Bayes' rule, and **independence**: $p(x, y) = p(x)\, p(y)$, so that knowing the one says nothing of the other. For densities the sum is an integral. Forming $p(x)$ from $p(x, y)$ is called **marginalisation**.
//
// The inequality is **Jensen's**. The logarithm is concave: its graph bends downwards, so that the chord between two points of it lies below it. A mean of points on the graph lies on such a chord, or within a polygon of them, hence below the graph at the mean of the points:
//
// $$\ln \mathbb{E}[X] \;\ge\; \mathbb{E}[\ln X], \qquad X > 0,$$
//
// and with equality only if $X$ is constant. Every *bound* of this course is this one line.

// %% id="jensen-picture"
const alongLn = Array.from({ length: 96 }, (_, i) => 0.2 + 0.04 * i);
const [few, many] = [0.4, 3.6];
const middle = (few + many) / 2;
figure(
  [
    { x: alongLn, y: alongLn.map(Math.log), mode: 'lines', name: 'ln x' },
    { x: [few, many], y: [Math.log(few), Math.log(many)], mode: 'lines+markers', name: 'chord', line: { dash: 'dot' } },
    {
      x: [middle, middle],
      y: [Math.log(middle), (Math.log(few) + Math.log(many)) / 2],
      mode: 'markers+text',
      name: 'X is either end, each with ½',
      text: [`ln of the mean: ${Math.log(middle).toFixed(2)}`, `mean of the ln: ${((Math.log(few) + Math.log(many)) / 2).toFixed(2)}`],
      textposition: ['top left', 'bottom right'],
      marker: { size: 11 },
    },
  ],
  { title: 'Jensen: the chord lies below the graph', xaxis: { title: 'x' }, yaxis: { title: 'ln x' } },
); // prettier-ignore

// %% [markdown] id="entropy"
// ## Entropy, cross-entropy, divergence
//
// An event of probability $p$ is worth $-\ln p$ of **surprise**. With the natural logarithm the unit is the *nat*, with $\log_2$ the *bit*, and 1 nat is $1/\ln 2 = 1.44$ bits. The mean surprise of a distribution about itself is its **entropy**; its mean surprise seen by somebody who believes $q$ is the **cross-entropy**; what the wrong belief costs is the **Kullback–Leibler divergence**:
//
// $$\mathbb{H}[p] = -\sum_v p_v \ln p_v, \qquad \mathbb{CE}[p \,\|\, q] = -\sum_v p_v \ln q_v,$$
//
// $$\mathrm{KL}[p \,\|\, q] = \mathbb{CE}[p\,\|\,q] - \mathbb{H}[p] \ge 0.$$
//
// Entropy is the cross-entropy of $p$ with itself, so one function gives all three. Two conventions belong to it (Cover and Thomas, 2006, section 2.3). A value that never occurs costs nothing, $0 \ln q_v = 0$ even for $q_v = 0$. A value that does occur and that $q$ calls impossible costs infinitely much, and the answer is then $+\infty$, not a large number that depends on somebody's $\varepsilon$.
//
// ### Exercise: cross-entropy
//
// In floating point $0 \cdot \ln 0$ is NaN. Choose with `tf.where` where to use the product and where the 0.

// %% id="cross-entropy"
/**
 * −Σ_v p_v ln q_v for each row, in nats. A value with p_v = 0 contributes 0, also where q_v = 0.
 * @param p [B, V], rows sum to 1 @param q [B, V] @returns [B]; +∞ where q_v = 0 and p_v > 0
 */
function crossEntropy(p: tf.Tensor, q: tf.Tensor): tf.Tensor {
  // BEGIN SOLUTION probability.crossEntropy
  const terms = p.mul(q.log()); // [B, V], NaN where both are 0
  return tf.where(p.greater(0), terms, tf.zerosLike(terms)).sum(1).neg(); // [B]
  // END SOLUTION
}

// %% id="check-cross-entropy"
await check('probability.crossEntropy', crossEntropy);

// %% [markdown] id="entropy-of-pixels"
// Here is the entropy of every pixel of the digits, by itself, as the cross-entropy of its 17 shares of grey levels with themselves, by *your* function: dark where the scans agree, bright where they differ. Independent pixels add up their entropies, and the sum is the training loss that the best model of independent pixels can reach. Chapter 3 calls that model the histogram.

// %% id="pixel-entropies"
const digits = load('digits');
const [V, D] = [digits.values, 64];
const surpriseOf = yours(crossEntropy, (p: tf.Tensor, q: tf.Tensor): tf.Tensor => {
  const terms = p.mul(q.log());
  return tf.where(p.greater(0), terms, tf.zerosLike(terms)).sum(1).neg();
});
const pixelEntropies = tf.tidy(() => {
  const shares = tf
    .oneHot(digits.train.x.toInt() as tf.Tensor2D, V)
    .toFloat()
    .mean(0); // [D, V]
  return [...surpriseOf(shares, shares).dataSync()]; // [D]
});
const total = pixelEntropies.reduce((a, b) => a + b);
const meanImage = tf.tidy(() => digits.train.x.mean(0).arraySync() as number[]);
const asRows = (image: readonly number[]) => Array.from({ length: 8 }, (_, row) => image.slice(8 * row, 8 * row + 8));
const mapOf = (image: readonly number[], axis: string, zmax: number) => ({
  type: 'heatmap',
  z: asRows(image),
  xaxis: `x${axis}`,
  yaxis: `y${axis}`,
  zmin: 0,
  zmax,
  colorscale: [[0, '#000000'], [1, '#ffffff']],
  showscale: false,
}); // prettier-ignore
const square = { visible: false, constrain: 'domain' };
figure(
  [mapOf(meanImage, '', V - 1), mapOf(pixelEntropies, '2', Math.log(V))],
  {
    title: `Left the mean, from 0 (black) to 16; right the entropy, from 0 to ${Math.log(V).toFixed(2)} nats (white): ${surpriseOf.by()}`,
    xaxis: { ...square, domain: [0, 0.42] },
    yaxis: { ...square, autorange: 'reversed', scaleanchor: 'x' },
    xaxis2: { ...square, domain: [0.57, 0.99], anchor: 'y2' },
    yaxis2: { ...square, autorange: 'reversed', scaleanchor: 'x2', anchor: 'x2' },
  },
  { height: 320, alt: 'The mean image of the digits and the entropy of each pixel' },
);
table(
  [
    { what: 'a pixel that shows all grey levels equally often (white)', nats: Math.log(V) },
    { what: 'the pixel with the most entropy', nats: Math.max(...pixelEntropies) },
    { what: 'the pixel with the least', nats: Math.min(...pixelEntropies) },
    { what: 'all 64 pixels together', nats: total },
  ].map((row) => ({ ...row, bits: row.nats / Math.LN2 })),
  { caption: 'Entropies', digits: 2 },
);

// %% [markdown] id="likelihoods"
// ## Three likelihoods
//
// A coin for every pixel that is black or white. A network gives its **logit** $l_d = \ln\frac{p_d}{1-p_d}$, which may be any real number, and
//
// $$\ln p(\mathbf{x}) = \sum_{d=1}^{D} \bigl[ x_d \ln p_d + (1 - x_d) \ln (1 - p_d) \bigr] = \sum_{d=1}^{D} \bigl[ x_d\, l_d - \ln(1 + e^{l_d}) \bigr].$$
//
// A table of probabilities for every pixel with grey levels, the **categorical** distribution, $\ln p(\mathbf{x}) = \sum_d \ln \vartheta_{d x_d}$. And for real numbers the Gaussian, with $\lambda_d = \ln\sigma_d^2$: $\ln p(\mathbf{x}) = -\frac12 \sum_d [ \ln 2\pi + \lambda_d + (x_d - \mu_d)^2 e^{-\lambda_d} ]$. In all three, independent coordinates **multiply** their probabilities, so the logarithms are **summed** over $d$. The mean over $d$ is the logarithm of no probability of an image.
//
// Half of the trouble is rounding. Code that computes $p = \mathrm{sigmoid}(l)$ first and $\ln(1 - p)$ second has lost the answer before it takes the logarithm:

// %% id="rounding"
table(
  [5, 10, 15, 20, 50].map((l) => {
    const p = Math.fround(1 / (1 + Math.exp(-l))); // the nearest 32-bit float
    return {
      logit: l,
      'ln(1 − sigmoid l), in 32 bits': Math.log(Math.fround(1 - p)),
      'clipped at 1e-7': Math.log(Math.max(1e-7, Math.fround(1 - p))),
      '−ln(1 + exp l)': -Math.log1p(Math.exp(l)),
    };
  }),
  { caption: 'The log-probability of black where the logit says white', digits: 3 },
);

// %% [markdown] id="bernoulli-exercise"
// Clipping, as many libraries do, only hides it: whoever is wrong with certainty is then charged a fixed price, and gets no gradient.
//
// ### Exercise: the Bernoulli log-likelihood
//
// Write it for logits of any size. For $l \approx 1000$ the term $e^{l}$ overflows, and $\ln(1 + e^l) = \max(l, 0) + \ln(1 + e^{-|l|})$ does not. `log1p` keeps small numbers exact.

// %% id="bernoulli"
/**
 * ln p(x) of independent coins: Σ_d x_d l_d − ln(1 + exp l_d), in nats.
 * @param x [B, D] of 0 and 1 @param logits [B, D] @returns [B]
 */
function bernoulli(x: tf.Tensor, logits: tf.Tensor): tf.Tensor {
  // BEGIN SOLUTION probability.bernoulli
  const normaliser = tf.relu(logits).add(logits.abs().neg().exp().log1p()); // ln(1 + exp l): [B, D]
  return x.mul(logits).sub(normaliser).sum(1); // [B]
  // END SOLUTION
}

// %% id="check-bernoulli"
await check('probability.bernoulli', bernoulli);

// %% [markdown] id="units"
// Now the other half of the trouble: what a reported number means.
//
// ### Predict: another unit
//
// Many programs divide pixels by the largest grey level before they do anything else. *Before* you run the table below: by how many nats does that change $-\ln p$ of an image under a density, fitted again to the data in the new unit?

// %% id="unit-shift"
/** What −ln p changes by, in nats per example, when all data [N, D] are divided by `factor` and the density with them. */
function unitShift(D: number, factor: number): number {
  // BEGIN SOLUTION probability.unitShift
  return -D * Math.log(factor); // p(x) dx stays, and dx shrinks by the factor in each coordinate
  // END SOLUTION
}

// %% [markdown] id="units-text"
// The same 447 test digits under three untrained models, coins for pixels of 8 and above, a histogram for each pixel, a Gaussian for each pixel, each in the units that papers use:

// %% id="units-table"
const coins = (x: tf.Tensor) => ({ x: tf.tidy(() => x.greaterEqual(8).toFloat()) });
const coinOf = yours(bernoulli, (x: tf.Tensor, logits: tf.Tensor): tf.Tensor => logBernoulli(x, logits));
const coinNats = tf.tidy(() => {
  const p = coins(digits.train.x).x.sum(0).add(0.5).div(1001); // [D], with half an imaginary example of each value
  const seen = coins(digits.test.x).x;
  return coinOf(seen, p.log().sub(tf.sub(1, p).log()).tile([447]).reshape([447, D]))
    .mean()
    .neg()
    .dataSync()[0]!;
});
const shift = yours(unitShift, (count: number, factor: number): number => -count * Math.log(factor));
const smallerUnit = tf.tidy(() => {
  const [seen, unseen] = [digits.train.x, digits.test.x].map((x, i) => dequantise(x, rng.fork(`unit ${i}`)).div(V));
  const { mean, variance } = tf.moments(seen!, 0);
  return logNormal(unseen!, mean, variance.log()).mean().neg().dataSync()[0]!;
});
const greyNats = evaluate(histogramBaseline(digits.train, V), digits.test, rng).nats;
const gaussianNats = tf.tidy(() => {
  const seen = dequantise(digits.train.x, rng.fork('train noise'));
  const { mean, variance } = tf.moments(seen, 0); // [D]
  const unseen = dequantise(digits.test.x, rng.fork('test noise'));
  return logNormal(unseen, mean, variance.log()).mean().neg().dataSync()[0]!;
});
table(
  [
    { model: 'coins, black and white', nats: coinNats },
    { model: 'histograms, 17 grey levels', nats: greyNats },
    { model: 'Gaussians, x in [0, 17)', nats: gaussianNats },
    { model: 'Gaussians, fitted to x / 17', nats: smallerUnit },
    { model: `Gaussians on [0, 17) + unitShift, ${shift.by()}`, nats: gaussianNats + shift(D, V) },
  ].map(({ model, nats }) => ({
    model,
    'nats per image (sum over pixels)': nats,
    'nats per pixel (mean)': nats / D,
    'bits per pixel': bitsPerDim(nats, [D]),
  })),
  { caption: '−ln p of the test digits', digits: 2 },
);

// %% id="check-unit-shift"
await check('probability.unitShift', unitShift);

// %% [markdown] id="units-reading"
// Each row is right, and few of them may be compared. *Coins against histograms*: they describe other data, 2 values a pixel or 17, so the smaller number is no better model. *Gaussians, twice*: dividing the data by 17 divides no probability of any digit, but it multiplies the density by $17^{64}$; the number falls by $64 \ln 17 = 181$ nats and may turn negative. A negative number of nats is possible for a density, and for a probability never. *Histograms against Gaussians on $[0, 17)$*: this may be compared, because the noise of $U[0,1)$ gave every grey level a cell of volume 1, and the density is then a bound on a probability (chapter 3, section 5).
//
// In this course: nats per example, summed over coordinates, of the data as they were given. Bits per pixel only in print.
//
// ## Maximum likelihood is the least KL
//
// The data are $N$ points, and the **empirical distribution** $p_N$ gives each the weight $1/N$. Then
//
// $$-\frac1N\sum_{n=1}^N \ln q(\mathbf{x}_n) = \mathbb{CE}[p_N \,\|\, q] = \mathrm{KL}[p_N\,\|\,q] + \mathbb{H}[p_N],$$
//
// and the last term does not depend on $q$. To maximise the likelihood is to minimise the first KL of the picture above. (For a density $q$ the entropy of the discrete $p_N$ is no help, since their KL is infinite. With the distribution $p$ that the points came from, the same identity holds on average.) For a source of known entropy $\mathbb{H}[p]$ it says more: no honest model has a mean loss below $\mathbb{H}[p]$, and what lies above is exactly the KL. Below: eight samples of 50 draws from $N(0, 1)$, each with its own curve of the loss of $N(\mu, 1)$, and a dot at its lowest point; and the average over 2,000 samples.

// %% id="likelihood-and-kl"
const samples = rng.fork('draws').normal([2000, 50]);
const means = Array.from({ length: 41 }, (_, i) => -1 + i * 0.05);
/** Mean loss of N(mu, 1) on one sample of 50: ½ ln 2π + ½ mean (x − mu)² */
const [centres, ownLosses] = tf.tidy(() => {
  const { mean, variance } = tf.moments(samples, 1); // [2000]
  return [
    [...mean.dataSync()],
    [
      ...variance
        .add(Math.log(2 * Math.PI))
        .div(2)
        .dataSync(),
    ],
  ];
}) as [number[], number[]];
const sourceEntropy = 0.5 * Math.log(2 * Math.PI * Math.E);
const lossOf = (name: string, y: readonly number[]) => ({ x: means, y, mode: 'lines', name, line: { width: 2.5 } });
figure(
  [
    ...centres.slice(0, 8).map((centre, n) => ({
      x: means,
      y: means.map((mu) => ownLosses[n]! + 0.5 * (mu - centre) ** 2),
      mode: 'lines',
      name: 'losses of eight samples',
      showlegend: n === 0,
      line: { color: '#808080', width: 1 },
    })),
    {
      x: centres.slice(0, 8),
      y: ownLosses.slice(0, 8),
      mode: 'markers',
      name: 'their lowest points',
      marker: { color: '#808080', size: 7 },
    },
    lossOf(
      'entropy of the source + KL',
      means.map((mu) => sourceEntropy + 0.5 * mu ** 2),
    ),
    lossOf(
      'entropy of the source',
      means.map(() => sourceEntropy),
    ),
  ],
  { title: 'Loss of N(μ, 1) on draws from N(0, 1)', xaxis: { title: 'μ' }, yaxis: { title: 'nats per example' } },
);
const average = (values: readonly number[]) => values.reduce((sum, v) => sum + v, 0) / values.length;
const errorOf = (values: readonly number[]) => {
  const centre = average(values);
  return Math.sqrt(average(values.map((v) => (v - centre) ** 2)) / values.length);
};
const judged = [
  { 'at the lowest point of the sample': 'loss on the sample itself', values: ownLosses, exact: -1 / 100 },
  { 'at the lowest point of the sample': 'loss on fresh draws', values: centres.map((c) => sourceEntropy + 0.5 * c ** 2), exact: 1 / 100 },
]; // prettier-ignore
table(
  judged.map(({ values, exact, ...what }) => ({
    ...what,
    'mean of 2,000 samples': average(values),
    'above the entropy': average(values) - sourceEntropy,
    'its standard error': errorOf(values),
    derived: exact,
  })),
  { caption: `Fitted on 50 draws; the entropy is ${sourceEntropy.toFixed(4)} nats`, digits: 4 },
);

// %% [markdown] id="closest-exercise"
// The curve of a single sample lies above or below the true one by chance, and its lowest point is the sample's own mean, not that of the source. *On average* the loss there is $1/2N$ below the entropy, and the same model has $1/2N$ above it on fresh draws (with $\hat\mu \sim N(0, 1/N)$, the first is $\frac12 \mathbb{E}[\hat\mu^2]$ less than that of the true $\mu$, the second as much more). Fitted and judged on the same draws, a model looks better than it is, by $1/N$ for each parameter of this kind. That is why one judges on other data.
//
// ### Exercise: the closest Gaussian
//
// The diagonal Gaussian $q$ that minimises $\mathrm{KL}[p\,\|\,q]$ has the means and the variances of $p$, whatever $p$ is: only $-\mathbb{E}_p \ln q = \frac12 \sum_d \bigl[\ln 2\pi + \lambda_d + \mathbb{E}_p (x_d - \mu_d)^2 e^{-\lambda_d}\bigr]$ depends on $q$; its derivative by $\mu_d$ is 0 where $\mathbb{E}_p (x_d - \mu_d) = 0$, and that by $\lambda_d$ where $1 - \mathbb{E}_p (x_d - \mu_d)^2 e^{-\lambda_d} = 0$. The field calls it **moment matching**, and $q$ the **M-projection** of $p$. Write it for a $p$ on weighted points, which covers both uses: $w_n = 1/N$ is maximum likelihood, and densities on a grid give the covering Gaussian of the first picture.
//
// $$\mu_d = \sum_n w_n x_{nd}, \qquad \sigma_d^2 = \sum_n w_n (x_{nd} - \mu_d)^2.$$
//
// There is no $N - 1$: that would be the unbiased variance, which is not the most likely one. And $\sum_n w_n x_{nd}^2 - \mu_d^2$ is the same on paper only: far from 0 it subtracts two large numbers, and 32 bits keep little of the difference.

// %% id="closest-normal"
/**
 * The diagonal Gaussian with the least KL[p ‖ q] from p = Σ_n w_n δ(x − x_n).
 * @param x [N, D] @param w [N], sums to 1 @returns mu [D] and logVar = ln σ² [D]
 */
function closestNormal(x: tf.Tensor, w: tf.Tensor): { mu: tf.Tensor; logVar: tf.Tensor } {
  // BEGIN SOLUTION probability.closestNormal
  const weights = w.expandDims(1); // [N, 1]
  const mu = x.mul(weights).sum(0); // [D]
  const variance = x.sub(mu).square().mul(weights).sum(0); // [D]
  return { mu, logVar: variance.log() };
  // END SOLUTION
}

// %% id="check-closest-normal"
await check('probability.closestNormal', closestNormal);

// %% [markdown] id="own-closest-text"
// Yours, on the first picture: the grid's points, weighed by the density of $p$ there, need no search for the covering Gaussian.

// %% id="own-closest"
const nearest = yours(closestNormal, (x: tf.Tensor, w: tf.Tensor) => {
  const mu = x.mul(w.expandDims(1)).sum(0);
  return { mu, logVar: x.sub(mu).square().mul(w.expandDims(1)).sum(0).log() };
});
const [nearMu, nearSigma] = tf.tidy(() => {
  const masses = logP.map((l) => 0.04 * Math.exp(l));
  const mass = masses.reduce((a, b) => a + b);
  const { mu, logVar } = nearest(tf.tensor2d(xs, [xs.length, 1]), tf.tensor1d(masses.map((m) => m / mass)));
  return [mu.dataSync()[0]!, Math.exp(logVar.dataSync()[0]! / 2)] as [number, number];
});
const nearLog = xs.map((x) => logDensity(x, nearMu, nearSigma));
table(
  [
    { Gaussian: 'least KL[p ‖ q] of the 1,830 candidates', μ: covering.mu, σ: covering.sigma, 'KL[p ‖ q]': covering.forward },
    { Gaussian: `closestNormal, ${nearest.by()}`, μ: nearMu, σ: nearSigma, 'KL[p ‖ q]': divergence(logP, nearLog) },
    { Gaussian: 'by hand: 0.6 · (−2) + 0.4 · 2.5, and the variance', μ: -0.2, σ: Math.sqrt(0.6 * (0.49 + 1.8 ** 2) + 0.4 * (1 + 2.7 ** 2)), 'KL[p ‖ q]': NaN },
  ].map((row) => ({ ...row, 'KL[p ‖ q]': Number.isNaN(row['KL[p ‖ q]']) ? '' : row['KL[p ‖ q]'].toFixed(4) })),
  { caption: 'The covering Gaussian', digits: 3 },
); // prettier-ignore

// %% [markdown] id="closed-form"
// ## Divergences in closed form
//
// Between two diagonal Gaussians the integral can be done, for all that it takes is $\mathbb{E}_q (z - \mu')^2 = \mathbb{E}_q (z - \mu + \mu - \mu')^2 = \sigma^2 + (\mu - \mu')^2$: the mixed term has mean 0. With it, $\mathbb{E}_q \ln q = -\frac12 (\ln 2\pi + \lambda + 1)$ and $\mathbb{E}_q \ln p = -\frac12 \bigl(\ln 2\pi + \lambda' + [\sigma^2 + (\mu-\mu')^2] / \sigma'^2\bigr)$ in each coordinate, where $\lambda = \ln\sigma^2$, and the difference is
//
// $$\mathrm{KL}\bigl[N(\boldsymbol\mu, \boldsymbol\sigma^2) \,\big\|\, N(\boldsymbol\mu', \boldsymbol\sigma'^2)\bigr] = \frac12 \sum_{d=1}^D \left[ \lambda'_d - \lambda_d - 1 + \frac{\sigma_d^2 + (\mu_d - \mu'_d)^2}{\sigma_d'^2} \right].$$
//
// ### Exercise: the KL of two Gaussians
//
// Two slips to avoid: $e^{\lambda}$ is the variance, not the standard deviation, and the result is summed over the coordinates, because the KL of independent coordinates adds up.

// %% id="gaussian-kl"
/**
 * KL[N(mu, exp logVar) ‖ N(muP, exp logVarP)], in nats.
 * @param mu [B, D] @param logVar [B, D] @param muP [B, D] @param logVarP [B, D] @returns [B], at least 0
 */
function gaussianKl(mu: tf.Tensor, logVar: tf.Tensor, muP: tf.Tensor, logVarP: tf.Tensor): tf.Tensor {
  // BEGIN SOLUTION probability.gaussianKl
  const squares = logVar.exp().add(mu.sub(muP).square()).div(logVarP.exp()); // [B, D]
  return logVarP.sub(logVar).sub(1).add(squares).sum(1).mul(0.5); // [B]
  // END SOLUTION
}

// %% id="check-gaussian-kl"
await check('probability.gaussianKl', gaussianKl);

// %% [markdown] id="larger-kl-text"
// ### Predict: which of the two is larger?
//
// Let $p = N(0, \sigma^2)$ and $q = N(0, \tau^2)$. *Before* you run the table below: is $\mathrm{KL}[p\,\|\,q]$ the larger one, or $\mathrm{KL}[q\,\|\,p]$?

// %% id="larger-kl"
/** The larger divergence between p = N(0, σ²) and q = N(0, τ²). */
function largerKl(sigma: number, tau: number): 'KL[p ‖ q]' | 'KL[q ‖ p]' | 'neither' {
  // BEGIN SOLUTION probability.largerKl
  if (sigma === tau) return 'neither';
  return sigma > tau ? 'KL[p ‖ q]' : 'KL[q ‖ p]'; // points of the wide one surprise the narrow one, by squares
  // END SOLUTION
}

// %% id="own-kl"
const klBetween = yours(gaussianKl, (mu: tf.Tensor, logVar: tf.Tensor, muP: tf.Tensor, logVarP: tf.Tensor): tf.Tensor =>
  klNormal(mu, logVar, muP, logVarP),
); // prettier-ignore
const centred = (a: number, b: number) =>
  tf.tidy(() => {
    const [l, m] = [a, b].map((sigma) => tf.fill([1, 1], 2 * Math.log(sigma)));
    return klBetween(tf.zeros([1, 1]), l!, tf.zeros([1, 1]), m!).dataSync()[0]!;
  });
table(
  [[1, 1], [1, 1.5], [1, 3], [1, 10], [3, 1]].map(([sigma, tau]) => ({
    σ: sigma!,
    τ: tau!,
    'KL[p ‖ q]': centred(sigma!, tau!),
    'KL[q ‖ p]': centred(tau!, sigma!),
  })),
  { caption: `Nats, by gaussianKl, ${klBetween.by()}`, digits: 3 },
); // prettier-ignore

// %% id="check-larger-kl"
await check('probability.largerKl', largerKl);

// %% [markdown] id="bernoulli-kl-text"
// ### Derive: the KL of two coins
//
// The other divergence of this course is that of **Bernoulli** distributions: of pixels that are black or white, of words that are there or not. Find it for two coins whose *logits* are $l$ and $m$, in a form that is right for logits of any size. No formula is given: write down the mean of $\ln p - \ln q$ over the two values, with $\ln p(x)$ from above.

// %% id="bernoulli-kl"
/**
 * KL of independent coins from independent coins, in nats.
 * @param logits of the first, which weighs [B, D] @param logitsP of the second [B, D] @returns [B], at least 0
 */
function bernoulliKl(logits: tf.Tensor, logitsP: tf.Tensor): tf.Tensor {
  // BEGIN SOLUTION probability.bernoulliKl
  // E[x l − softplus(l)] − E[x m − softplus(m)], and E x = sigmoid(l)
  const mean = tf.sigmoid(logits); // [B, D]
  const each = mean.mul(logits.sub(logitsP)).sub(tf.softplus(logits)).add(tf.softplus(logitsP)); // [B, D]
  return each.sum(1); // [B]
  // END SOLUTION
}

// %% id="check-bernoulli-kl"
await check('probability.bernoulliKl', bernoulliKl);

// %% [markdown] id="own-bernoulli-kl-text"
// Yours, on the digits: every class of the training set becomes 64 coins, one for each pixel, heads for grey levels of 8 and above. The picture has the divergence of each row's coins from each column's.

// %% id="own-bernoulli-kl"
const klOfCoins = yours(bernoulliKl, (logits: tf.Tensor, logitsP: tf.Tensor): tf.Tensor => {
  const [p, q] = [tf.sigmoid(logits), tf.sigmoid(logitsP)]; // plain, for logits that are tame
  const tails = tf.sub(1, p).mul(tf.sub(1, p).log().sub(tf.sub(1, q).log()));
  return p.mul(p.log().sub(q.log())).add(tails).sum(1);
});
const classes = Array.from({ length: 10 }, (_, c) => c);
const klOfClasses = tf.tidy(() => {
  const ofClass = tf.oneHot(digits.train.y.toInt() as tf.Tensor1D, 10).toFloat(); // [N, 10]
  const heads = ofClass.transpose().matMul(coins(digits.train.x).x).add(0.5); // [10, D], half an imaginary example
  const thrown = ofClass.sum(0).expandDims(1).add(1); // [10, 1]
  const logits = heads.log().sub(thrown.sub(heads).log()); // [10, D]
  const pairs = classes.flatMap((a) => classes.map((b) => [a, b] as const));
  const rowsOf = (side: 0 | 1) => tf.gather(logits, pairs.map((pair) => pair[side]), 0); // prettier-ignore
  return klOfCoins(rowsOf(0), rowsOf(1)).reshape([10, 10]).arraySync() as number[][];
});
figure(
  [{ type: 'heatmap', x: classes, y: classes, z: klOfClasses, colorscale: [[0, '#ffffff'], [1, '#606060']], showscale: false, texttemplate: '%{z:.0f}' }],
  {
    title: `KL[row ‖ column] of the digits’ coins, in nats: ${klOfCoins.by()}`,
    xaxis: { title: 'column', dtick: 1, constrain: 'domain' },
    yaxis: { title: 'row', dtick: 1, autorange: 'reversed', scaleanchor: 'x' },
  },
  { height: 420, alt: 'Divergences between the classes of digits, each as 64 coins' },
); // prettier-ignore
const byDivergence = classes
  .flatMap((a) => classes.filter((b) => b !== a).map((b) => ({ row: a, column: b, nats: klOfClasses[a]![b]!, 'the other way': klOfClasses[b]![a]! })))
  .sort((a, b) => a.nats - b.nats); // prettier-ignore
table([...byDivergence.slice(0, 3), ...byDivergence.slice(-3)], {
  caption: 'The three nearest pairs and the three farthest, in nats',
  digits: 1,
});

// %% [markdown] id="monte-carlo"
// Nearest are the ones to the eights, by 7.2 nats, and by 8.0 the other way round; farthest the sevens from the zeros, by 40.8 against 30.5. A KL is no distance: it has a direction. And it is the mean of a log-ratio: a one tells "one" from "eight" by 7.2 nats on average, as far as coins can see it.
//
// Where no closed form exists, one draws $\mathbf{z}_s \sim q$ and averages $\ln q(\mathbf{z}_s) - \ln p(\mathbf{z}_s)$. How far from the truth may that be? An average of $S$ independent numbers has the standard error (their standard deviation) $/\sqrt S$. For $q = N(\mu, \sigma^2)$ and $p = N(0, 1)$ even the deviation is known: with $z = \mu + \sigma\varepsilon$ the summand is $\frac12(\sigma^2 - 1)\varepsilon^2 + \mu\sigma\varepsilon$ plus a constant, and since $\mathrm{Var}[\varepsilon^2] = 2$ and $\mathrm{Cov}[\varepsilon^2, \varepsilon] = 0$,
//
// $$\mathrm{Var} = \tfrac12(\sigma^2-1)^2 + \mu^2\sigma^2 \quad\text{for each coordinate.}$$
//
// This is how a test of random code should be written: with a tolerance derived from the number of draws. A tolerance that was tried until the test passed proves nothing.

// %% id="monte-carlo-table"
const q = { mu: tf.tensor2d([[0.5, -1, 2]]), logVar: tf.tensor2d([[0, 1, -1]]) };
const exactKl = tf.tidy(() => klBetween(q.mu, q.logVar, tf.zeros([1, 3]), tf.zeros([1, 3])).dataSync()[0]!); // yours, once written
const [qMeans, qVariances] = [q.mu, q.logVar.exp()].map((t) => [...t.dataSync()]);
const summandVariances = qMeans!.map((mu, d) => 0.5 * (qVariances![d]! - 1) ** 2 + mu ** 2 * qVariances![d]!);
const summandVariance = summandVariances.reduce((a, b) => a + b);
table(
  [100, 1000, 10_000, 100_000].map((S) => {
    const estimate = tf.tidy(() => {
      const z = rng.fork(`S = ${S}`).normal([S, 3]).mul(q.logVar.mul(0.5).exp()).add(q.mu); // [S, 3]
      const standard = logNormal(z, tf.scalar(0), tf.scalar(0)); // [S]
      return logNormal(z, q.mu, q.logVar).sub(standard).mean().dataSync()[0]!;
    });
    const error = Math.sqrt(summandVariance / S);
    return { S, estimate, exact: exactKl, 'derived error': error, 'off by, in errors': (estimate - exactKl) / error };
  }),
  { caption: 'A KL of two Gaussians in three dimensions, in nats', digits: 4 },
);

// %% [markdown] id="control-signals"
// ## Control signals
//
// A good way to make something complicated is to decide first what it should be, and then to make it: draw a **latent variable** $\mathbf{z}$, which steers (the lecture's *control signal*), then $\mathbf{x}$ from a simple distribution that $\mathbf{z}$ controls,
//
// $$p(\mathbf{x}) = \int p(\mathbf{x}\mid\mathbf{z})\, p(\mathbf{z})\, d\mathbf{z} = \mathbb{E}_{\mathbf{z}\sim p(\mathbf{z})}\bigl[p(\mathbf{x} \mid \mathbf{z})\bigr].$$
//
// The hope is that $\mathbf z$ then holds one by one what varies in the data, such as shape, colour or position, each in a number of its own: that it **disentangles** the factors of variation.
//
// Sampling is easy, two draws. The likelihood is an integral, and its plainest estimate an average over $S$ draws of $\mathbf z$. On the log scale that is
//
// $$\ln p(\mathbf{x}) \approx \ln \frac1S \sum_{s=1}^S e^{a_s}, \qquad a_s = \ln p(\mathbf{x}\mid\mathbf{z}_s),$$
//
// and by Jensen's inequality the estimate is too low on average, by less and less as $S$ grows (Burda, Grosse and Salakhutdinov, 2016). Averaging the logarithms instead, $\frac1S\sum_s a_s$, is another quantity: a lower bound that no number of draws improves.
//
// ### Exercise: the marginal likelihood
//
// For a whole batch, from the matrix $a_{sb}$. The numbers are $-100$ and below for an image, so take out the maximum **of each column** first, and do not forget that it is an average: $-\ln S$.

// %% id="log-marginal"
/**
 * ln (1/S) Σ_s exp a_sb: the Monte Carlo estimate of ln p(x_b), in nats.
 * @param a [S, B], ln p(x_b | z_s) with z_s ~ p(z) @returns [B]
 */
function logMarginal(a: tf.Tensor): tf.Tensor {
  // BEGIN SOLUTION probability.logMarginal
  const largest = a.max(0, true); // [1, B]
  const average = a.sub(largest).exp().mean(0); // [B], between 1/S and 1
  return average.log().add(largest.squeeze([0])); // [B]
  // END SOLUTION
}

// %% id="check-log-marginal"
await check('probability.logMarginal', logMarginal);

// %% [markdown] id="log-marginal-text"
// A model whose integral is known: $z \sim N(0,1)$ and $x \mid z \sim N(2z, 0.5^2)$ make $x \sim N(0, 2^2 + 0.5^2)$. Both averages for $x = 3$, each the mean of 200 repetitions:

// %% id="marginal-picture"
const averageOf = yours(logMarginal, (a: tf.Tensor): tf.Tensor => logMeanExp(a, 0));
const counts = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];
const averages = counts.map((S) =>
  tf.tidy(() => {
    const z = rng.fork(`draws ${S}`).normal([S * 200, 1]);
    const a = logNormal(tf.fill([S * 200, 1], 3), z.mul(2), tf.scalar(2 * Math.log(0.5))).reshape([S, 200]);
    return { ofLog: a.mean().dataSync()[0]!, logOf: averageOf(a).mean().dataSync()[0]! };
  }),
);
const exactMarginal = logDensity(3, 0, Math.hypot(2, 0.5));
figure(
  [
    {
      x: counts,
      y: averages.map(({ logOf }) => logOf),
      mode: 'lines+markers',
      name: `ln of the mean, ${averageOf.by()}`,
    },
    { x: counts, y: averages.map(({ ofLog }) => ofLog), mode: 'lines+markers', name: 'mean of the ln' },
    { x: counts, y: counts.map(() => exactMarginal), mode: 'lines', name: 'exact' },
  ],
  { title: 'ln p(x = 3) by S draws of z', xaxis: { title: 'S', type: 'log' }, yaxis: { title: 'nats' } },
);

// %% [markdown] id="bound"
// A better proposal than the prior is a $q(\mathbf{z})$ that knows $\mathbf{x}$. Write the integral as a mean under $q$, and let Jensen take the logarithm inside:
//
// $$\ln p(\mathbf{x}) = \ln \mathbb{E}_{q(\mathbf{z})}\!\left[\frac{p(\mathbf{x}, \mathbf{z})}{q(\mathbf{z})}\right] \ge \mathbb{E}_{q(\mathbf{z})}\!\left[\ln \frac{p(\mathbf{x}, \mathbf{z})}{q(\mathbf{z})}\right] = \mathbb{E}_{q(\mathbf{z})}[\ln p(\mathbf{x} \mid \mathbf{z})] - \mathrm{KL}[q(\mathbf{z}) \,\|\, p(\mathbf{z})],$$
//
// the **evidence lower bound**, ELBO. Chapter 8 trains it, and the bug below lives in it.
//
// ## Gradients through randomness
//
// To train such a model one needs $\nabla_{\boldsymbol\theta}\, \mathbb{E}_{z \sim q_\theta}[f(z)]$, where the parameters sit in the distribution. Take $q = N(\mu, \sigma^2)$ with $\lambda = \ln\sigma^2$. There are two ways.
//
// **Reparametrise** (Kingma and Welling, 2014): draw $\varepsilon \sim N(0,1)$, set $z = \mu + e^{\lambda/2}\varepsilon$, and differentiate along the path,
//
// $$\frac{\partial}{\partial\mu} \leadsto f'(z), \qquad \frac{\partial}{\partial\lambda} \leadsto f'(z) \cdot \tfrac12 e^{\lambda/2}\, \varepsilon.$$
//
// **Score function** (Williams, 1992, who called it **REINFORCE**): since $\nabla q = q \nabla \ln q$,
//
// $$\frac{\partial}{\partial\mu} \leadsto f(z) \cdot \frac{z - \mu}{\sigma^2}, \qquad \frac{\partial}{\partial\lambda} \leadsto f(z) \cdot \tfrac12\left[\frac{(z-\mu)^2}{\sigma^2} - 1\right].$$
//
// It never differentiates $f$, so $f$ may be anything: a step, a table, a game. Both are right on average. They differ in how far a single draw strays.
//
// ### Exercise: along the path
//
// `f` works element by element, so `tf.grad(f)(z)` gives $f'(z_s)$ for every draw. Return the gradient of each draw, not their mean: variance is what we are after.

// %% id="pathwise"
/**
 * The reparametrised gradient of E f(z), z ~ N(mu, exp logVar), for each draw.
 * @param f element by element, differentiable @param eps standard normal draws [S]
 * @returns [S, 2]: ∂/∂mu and ∂/∂logVar
 */
function pathwise(f: (z: tf.Tensor) => tf.Tensor, eps: tf.Tensor, mu: number, logVar: number): tf.Tensor {
  // BEGIN SOLUTION probability.pathwise
  const sigma = Math.exp(logVar / 2);
  const slope = tf.grad(f)(eps.mul(sigma).add(mu)); // [S]
  return tf.stack([slope, slope.mul(eps).mul(sigma / 2)], 1); // [S, 2]
  // END SOLUTION
}

// %% id="check-pathwise"
await check('probability.pathwise', pathwise);

// %% [markdown] id="baselines"
// The score has mean 0, so subtracting a constant $b$ from $f$ changes no mean, and a good $b$ removes most of the variance: a **baseline**, in statistics a **control variate**. The mean of $f$ is a good one, but it is not known, and a mean that includes the draw itself is correlated with its score: the gradient comes out too small, by the factor $(S-1)/S$. The remedy is to leave the draw out (Kool, van Hoof and Welling, 2019),
//
// $$b_s = \frac{1}{S-1} \sum_{r \ne s} f(z_r).$$
//
// ### Exercise: the score function with a baseline

// %% id="score-function"
/**
 * The score-function gradient of E f(z), z ~ N(mu, exp logVar), for each draw, with the mean of the other draws as
 * baseline.
 * @param f values f(z_s) [S], S ≥ 2 @param z draws [S] @returns [S, 2]: ∂/∂mu and ∂/∂logVar
 */
function scoreFunction(f: tf.Tensor, z: tf.Tensor, mu: number, logVar: number): tf.Tensor {
  // BEGIN SOLUTION probability.scoreFunction
  const sigma = Math.exp(logVar / 2);
  const S = f.shape[0]!;
  const others = f.sum().sub(f); // [S]
  const baseline = others.div(S - 1); // [S]
  const u = z.sub(mu).div(sigma); // [S], standard normal
  const scores = tf.stack([u.div(sigma), u.square().sub(1).mul(0.5)], 1); // [S, 2]
  return scores.mul(f.sub(baseline).expandDims(1)); // [S, 2]
  // END SOLUTION
}

// %% id="check-score-function"
await check('probability.scoreFunction', scoreFunction);

// %% [markdown] id="variance-text"
// Now measure. For $f(z) = z^2$ and $\sigma = 1$ the gradient with respect to $\mu$ is $2\mu$, and the variances of one draw can be derived from the moments of $\varepsilon$ (1, 3 and 15 for the second, fourth and sixth): along the path 4; by the score $\mu^4 + 14\mu^2 + 15$; with the baseline $b = \mathbb{E} f$ it is $8\mu^2 + 10$; and with the best constant, $b = \mu^2 + 3$, it is $8\mu^2 + 6$. Lines are these formulas, markers 20,000 draws; crosses are *yours*, 1,000 draws each, the score with the mean of the other draws as baseline.

// %% id="variance-picture"
const estimators = [
  { name: 'path', exact: () => 4, each: (z: tf.Tensor) => z.mul(2) },
  { name: 'score', exact: (mu: number) => mu ** 4 + 14 * mu ** 2 + 15, baseline: () => 0 },
  { name: 'score, b = E f', exact: (mu: number) => 8 * mu ** 2 + 10, baseline: (mu: number) => mu ** 2 + 1 },
  { name: 'score, best b', exact: (mu: number) => 8 * mu ** 2 + 6, baseline: (mu: number) => mu ** 2 + 3 },
];
const places = [0, 1, 2, 3, 4, 5];
const measured = estimators.map(({ each, baseline }) =>
  places.map((mu) =>
    tf.tidy(() => {
      const z = rng.fork(`mu ${mu}`).normal([20_000]).add(mu);
      const gradients = each ? each(z) : z.square().sub(baseline(mu)).mul(z.sub(mu)); // [S]
      return tf.moments(gradients).variance.dataSync()[0]!;
    }),
  ),
);
const ownDraws = 1000; // one's own functions may take their time
const ownPath = yours(
  pathwise,
  (f: (z: tf.Tensor) => tf.Tensor, eps: tf.Tensor, mu: number, logVar: number): tf.Tensor => {
    const sigma = Math.exp(logVar / 2);
    const slope = tf.grad(f)(eps.mul(sigma).add(mu));
    return tf.stack([slope, slope.mul(eps).mul(sigma / 2)], 1);
  },
);
const ownScore = yours(scoreFunction, (f: tf.Tensor, z: tf.Tensor, mu: number, logVar: number): tf.Tensor => {
  const u = z.sub(mu).div(Math.exp(logVar / 2));
  const rest = f
    .sub(
      f
        .sum()
        .sub(f)
        .div(f.size - 1),
    )
    .expandDims(1);
  return tf.stack([u.div(Math.exp(logVar / 2)), u.square().sub(1).div(2)], 1).mul(rest);
});
const variancesOf = (gradients: (eps: tf.Tensor, mu: number) => tf.Tensor) =>
  places.map((mu) =>
    tf.tidy(() => {
      const byMu = gradients(rng.fork(`own ${mu}`).normal([ownDraws]), mu).slice([0, 0], [-1, 1]);
      return tf.moments(byMu).variance.dataSync()[0]!;
    }),
  );
const own = [
  { name: `path, ${ownPath.by()}`, y: variancesOf((eps, mu) => ownPath((z) => z.square(), eps, mu, 0)) },
  { name: `score, ${ownScore.by()}`, y: variancesOf((eps, mu) => ownScore(eps.add(mu).square(), eps.add(mu), mu, 0)) },
];
const fine = Array.from({ length: 101 }, (_, i) => i * 0.05);
figure(
  [
    ...estimators.map(({ name }, i) => ({ x: places, y: measured[i]!, mode: 'markers', name, marker: { size: 9 } })),
    ...own.map(({ name, y }) => ({ x: places, y, mode: 'markers', name, marker: { size: 11, symbol: 'x-thin-open' } })),
    ...estimators.map(({ name, exact }) => ({
      x: fine,
      y: fine.map(exact),
      mode: 'lines',
      name: `${name}, exact`,
      showlegend: false,
      line: { color: '#808080', width: 1 },
    })),
  ],
  {
    title: 'Variance of one draw of the gradient of E z² by μ',
    legend: { x: 0, xanchor: 'left', y: -0.2, yanchor: 'top' },
    xaxis: { title: 'μ' },
    yaxis: { title: 'variance', type: 'log' },
  },
);
table(
  places.map((mu, i) => ({
    μ: mu,
    path: measured[0]![i]!,
    score: measured[1]![i]!,
    'score, b = E f': measured[2]![i]!,
    'score : path': measured[1]![i]! / measured[0]![i]!,
  })),
  { caption: 'Measured: how many times as many draws the score function needs', digits: 1 },
);

// %% [markdown] id="bug"
// ## The bug to find
//
// A widely copied example of a variational autoencoder computes its loss as below: the pixels' cross-entropy plus the KL of the latent variables. The loss falls, and reconstructions appear. The issues of two projects, named under the sources, are about what follows from it.
//
// ### Exercise: repair it
//
// The cell after it builds a world of four coins that two latent numbers control, small enough to integrate: $\ln p(\mathbf{x})$ is known for all 16 patterns, and so is the entropy of the world. A bound on the likelihood, averaged over the world, must lie **above** that entropy. Look at it before you change anything. Then ask: of which logarithm of a probability is each term a part?

// %% id="neg-elbo"
/**
 * −ELBO of each example, with one draw of z: −ln p(x | z) + KL[N(mu, exp logVar) ‖ N(0, I)], in nats.
 * @param x [B, D] of 0 and 1 @param logits of p(x | z) [B, D] @param mu [B, L] @param logVar [B, L] @returns [B]
 */
function negElbo(x: tf.Tensor, logits: tf.Tensor, mu: tf.Tensor, logVar: tf.Tensor): tf.Tensor {
  // BEGIN SOLUTION probability.negElbo
  // The code that was given averages over D pixels and over L latent numbers. Neither mean belongs to a probability,
  // and dividing by different numbers weighs the KL D / L times too heavily: it is then cheapest to ignore z.
  const pixels = tf.softplus(logits).sub(x.mul(logits)).sum(1); // [B]
  const kl = mu.square().add(logVar.exp()).sub(logVar).sub(1).mul(0.5).sum(1); // [B]
  return pixels.add(kl);
  // END SOLUTION
  // BEGIN GIVEN
  // const pixels = tf.softplus(logits).sub(x.mul(logits)).mean(1); // [B]
  // const kl = mu.square().add(logVar.exp()).sub(logVar).sub(1).mul(0.5).mean(1); // [B]
  // return pixels.add(kl);
  // END GIVEN
}

// %% id="neg-elbo-world"
const controls = tf.tensor2d([3, 3, 0, 0, 0, 0, 3, -3], [2, 4]); // logits of p(x | z) are z · controls
const world = tf.tidy(() => {
  const patterns = tf.tensor2d(Array.from({ length: 16 }, (_, n) => [0, 1, 2, 3].map((d) => (n >> d) & 1))); // [16, 4]
  const axis = Array.from({ length: 61 }, (_, i) => -6 + i * 0.2);
  const z = tf.tensor2d(axis.flatMap((a) => axis.map((b) => [a, b]))); // [G, 2]
  const logPrior = logNormal(z, tf.scalar(0), tf.scalar(0)).add(2 * Math.log(0.2)); // [G], of the cell around z
  const logits = z.matMul(controls); // [G, 4]
  const rows = tf.unstack(patterns).map((x) => coinOf(tf.tile(x.expandDims(0), [z.shape[0], 1]), logits)); // yours
  const joint = tf.stack(rows).add(logPrior); // ln p(x, z): [16, G]
  const logX = tf.logSumExp(joint, 1); // [16]
  const posterior = joint.sub(logX.expandDims(1)).exp(); // [16, G]
  const mu = posterior.matMul(z); // [16, 2]
  const variance = posterior.matMul(z.square()).sub(mu.square()); // [16, 2]
  const logVar = variance.log();
  // the expectation of ln p(x | z) under N(mu, exp logVar), on the same grid
  const logQ = tf.stack(tf.unstack(mu).map((m, n) => logNormal(z, m, tf.unstack(logVar)[n]!))); // [16, G]
  const expected = tf
    .stack(rows)
    .mul(logQ.exp())
    .sum(1)
    .mul(0.2 ** 2); // [16]
  const gap = logX
    .exp()
    .mul(logX.sub(expected).add(klNormal(mu, logVar)))
    .sum(); // E [ln p(x) − ELBO]
  return { patterns, logX, mu, logVar, gap };
});
const { worldNats, yourNats, worldSum, yourError } = tf.tidy(() => {
  const repeats = 500;
  const again = (t: tf.Tensor) => tf.tile(t, [repeats, 1]); // [16, …] → [repeats · 16, …]
  const noise = rng.fork('world').normal([repeats * 16, 2]);
  const z = again(world.mu).add(noise.mul(again(world.logVar).mul(0.5).exp()));
  const each = negElbo(again(world.patterns), z.matMul(controls), again(world.mu), again(world.logVar));
  const probabilities = world.logX.exp(); // [16]
  const means = each.reshape([repeats, 16]).mul(probabilities).sum(1); // [repeats], each a mean over the world
  const { mean, variance } = tf.moments(means);
  const number = (t: tf.Tensor) => t.dataSync()[0]!;
  return {
    worldSum: number(probabilities.sum()),
    worldNats: number(probabilities.mul(world.logX).sum().neg()),
    yourNats: number(mean),
    yourError: Math.sqrt(number(variance) / repeats),
  };
});
table(
  [
    { what: 'the probabilities of the 16 patterns sum to', value: worldSum },
    { what: 'entropy of the world: the least possible mean of −ln p(x), nats', value: worldNats },
    { what: 'your −ELBO, averaged over the world, nats', value: yourNats },
    { what: 'above the entropy by (negative: impossible)', value: yourNats - worldNats },
    { what: 'its standard error, from 500 repetitions', value: yourError },
    { what: 'exactly, by quadrature: the mean KL of q from the posterior', value: world.gap.dataSync()[0]! },
  ],
  { caption: 'A bound must lie above' },
);

// %% id="check-neg-elbo"
await check('probability.negElbo', negElbo);

// %% [markdown] id="costs"
// ## What it costs
//
// The plain average over the prior, measured on this machine for $L$ latent numbers: $\mathbf{z} \sim N(\mathbf 0, \mathbf I)$, $\mathbf{x}\mid\mathbf{z} \sim N(\mathbf{z}, 0.3^2\,\mathbf I)$, for 20 points $\mathbf{x}$ of the model itself. Time grows as $S \cdot L$, which is cheap. What grows out of reach is the number of draws that are needed: one of them has to fall near the right $\mathbf{z}$, and the chance of that shrinks exponentially with $L$.

// %% id="measure-costs"
const costs = [];
for (const L of [1, 2, 4, 8, 16]) {
  const x = tf.tidy(() => rng.fork(`x ${L}`).normal([20, L]).mul(Math.hypot(1, 0.3)));
  const exact = tf.tidy(
    () =>
      logNormal(x, tf.scalar(0), tf.scalar(Math.log(1.09)))
        .mean()
        .dataSync()[0]!,
  );
  const estimateWith = (S: number) =>
    tf.tidy(() => {
      const z = rng.fork(`z ${L}`).normal([S, L]);
      const a = tf.stack(
        tf.unstack(x).map((row) => logNormal(row.sub(z), tf.scalar(0), tf.scalar(2 * Math.log(0.3)))),
        1,
      );
      return logMeanExp(a, 0).mean().dataSync()[0]!; // a: [S, 20]
    });
  estimateWith(10); // the first call of anything is slower
  const started = performance.now();
  const many = estimateWith(10_000);
  const milliseconds = performance.now() - started;
  costs.push({
    L,
    exact,
    'too low with S = 100': exact - estimateWith(100),
    'with S = 10,000': exact - many,
    'ms for 10,000': milliseconds,
  });
}
table(costs, { caption: 'Mean ln p(x) of 20 points by averaging over the prior, nats', digits: 2 });

// %% [markdown] id="failures"
// ## Where it fails
//
// **KL says nothing about distance where supports part.** Two Gaussians, one unit apart, ever narrower: the KL explodes although the means stay where they are, and for two points it is infinite. Its gradient is then no guide. This is one reason for other divergences (chapter 15).
//
// **The path is blind to steps.** For $f(z) = [z > 0.5]$ the slope is 0 wherever it exists, so the path says 0 while the true gradient is the density at 0.5, which is 0.352. A smooth step in its place gives the path something to see, but the narrower it is, the fewer draws fall on it, and the error grows. The score function does not mind. Discrete choices need it, or a trick (chapters 7 and 18).
//
// **The score function drowns in dimensions.** For $f(\mathbf{z}) = \sum_d z_d^2$ every coordinate adds its noise to the gradient of every other. The path does not feel it.

// %% id="failure-tables"
table(
  [1, 0.3, 0.1, 0.03].map((sigma) => ({
    σ: sigma,
    'KL[N(0, σ²) ‖ N(1, σ²)], nats': tf.tidy(() => {
      const logVar = tf.fill([1, 1], 2 * Math.log(sigma));
      return klBetween(tf.zeros([1, 1]), logVar, tf.ones([1, 1]), logVar).dataSync()[0]!;
    }),
  })),
  { caption: 'One unit apart', digits: 2 },
);
const meanAndError = (each: tf.Tensor) => {
  const { mean, variance } = tf.moments(each);
  return [mean.dataSync()[0]!, Math.sqrt(variance.dataSync()[0]! / each.size)] as const;
};
table(
  [1, 0.1, 0.01, 0.001, 0.0001].map((width) =>
    tf.tidy(() => {
      const z = rng.fork('step').normal([20_000]);
      const f = z.sub(0.5).div(width).sigmoid(); // from 0 to 1 around 0.5
      const [path, pathError] = meanAndError(f.mul(f.neg().add(1)).div(width)); // f′
      const [score, scoreError] = meanAndError(f.sub(0.5).mul(z));
      return { width, path, '± path': pathError, score, '± score': scoreError };
    }),
  ),
  { caption: 'Gradient of E f(z) with respect to μ, at μ = 0, for an f that rises within a width', digits: 4 },
);
table(
  [1, 10, 100].map((dimensions) => {
    const [path, score] = tf.tidy(() => {
      const z = rng.fork(`dimensions ${dimensions}`).normal([20_000, dimensions]);
      const f = z.square().sum(1).sub(dimensions); // its mean is the baseline
      const first = z.slice([0, 0], [-1, 1]).squeeze([1]);
      return [first.mul(2), f.mul(first)].map((each) => tf.moments(each).variance.dataSync()[0]!);
    });
    return { D: dimensions, path, score };
  }),
  {
    caption: 'Variance of one draw of ∂/∂μ₁ of E Σ z², at μ = 0; the score with b = E f',
    digits: 1,
  },
);

// %% [markdown] id="sources"
// ### Sources
//
// T. Cover, J. Thomas, *Elements of Information Theory* (2006), chapter 2. C. Bishop, *Pattern Recognition and Machine Learning* (2006), sections 1.6 and 10.1. R. Williams, *Simple statistical gradient-following algorithms for connectionist reinforcement learning*, Machine Learning 8 (1992). D. Kingma, M. Welling, *Auto-encoding variational Bayes*, ICLR 2014. Y. Burda, R. Grosse, R. Salakhutdinov, *Importance weighted autoencoders*, ICLR 2016. W. Kool, H. van Hoof, M. Welling, *Buy 4 REINFORCE samples, get a baseline for free!*, ICLR 2019 workshop. S. Mohamed, M. Rosca, M. Figurnov, A. Mnih, *Monte Carlo gradient estimation in machine learning*, JMLR 21 (2020). J. Tomczak, *Deep Generative Modeling* (2024), chapter 2 and section 5.3; the bug is discussed in keras-team/keras issue 6015 and AppliedDataSciencePartners/WorldModels issue 12 (github.com).
