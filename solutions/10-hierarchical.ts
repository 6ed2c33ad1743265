// %% [markdown] id="title"
// # 10 Hierarchical variational auto-encoders
//
// A painter does not place every stroke at once. First what it is to be a picture of, then where its parts go, then the strokes. So far all latents were drawn together, independent of each other (chapter 8), or from a prior that was learnt as a whole (chapter 9). Here they come in **levels**, each drawn given those above it,
//
// $$p(\mathbf{x}) = \int p(\mathbf{z}_1)\, p(\mathbf{z}_2 \mid \mathbf{z}_1) \cdots p(\mathbf{z}_L \mid \mathbf{z}_{<L})\; p(\mathbf{x} \mid \mathbf{z})\, \mathrm{d}\mathbf{z},$$
//
// with the top first. By the end you have derived what a level costs, trained two levels of your own, predicted which of them will say nothing and what keeps both alive, and found a published mistake by which a ladder claims more than the likelihood. Everything printed below was computed by running this file (`npm run solutions -- 10`; with `--budget full`, trainings take longer).

// %% tags=["setup"] id="setup"
import * as tf from '@tensorflow/tfjs';
import { check, NotWritten, yours } from 'grader';
import {
  adamW,
  baselines,
  budgeted,
  card,
  categoricalValues,
  convolutionalVae,
  createRng,
  denseDecoderNetwork,
  denseEncoder,
  evaluate,
  figure,
  fit,
  fullBudget,
  gelu,
  hierarchicalVae,
  imageGrid,
  importanceBound,
  klNormal,
  klResidual,
  ladder,
  load,
  logCategorical,
  logNormal,
  lossCurve,
  mlp,
  rungsOf,
  table,
  type GenerativeModel,
  type HierarchicalModel,
  type HierarchicalVaeConfig,
  type Rng,
  type TrainingData,
} from 'dgm';
import { compiled, type CompiledFunction } from 'dgm/engine';

const rng = createRng(10); // the one seed of this chapter
const digits = load('digits');
const V = digits.values; // 17 grey levels
const rowsOf = (x: tf.Tensor) => x.arraySync() as number[][];
const meanOf = (values: ArrayLike<number>) => Array.from(values).reduce((sum, v) => sum + v, 0) / values.length;
const errorOf = (values: ArrayLike<number>) => {
  const mean = meanOf(values);
  const squares = Array.from(values, (v) => (v - mean) ** 2);
  return Math.sqrt(meanOf(squares) / Math.max(1, values.length - 1));
};
const weightsOf = (model: GenerativeModel) => model.objectives[0]!.variables.reduce((sum, { size }) => sum + size, 0);

/** One way of training for all models of this chapter; section 4 gives the reasons. */
async function train<Model extends GenerativeModel>(
  model: Model,
  data: TrainingData,
  here: Rng,
  { epochs, patience = 20, seen }: { epochs: number; patience?: number; seen?: (epoch: number) => void },
) {
  const optimiser = adamW(0.003, { weightDecay: 0.01, clipNorm: 100 });
  const onEpoch = seen && ((last: { epoch: number }) => seen(last.epoch));
  const options = { epochs, batchSize: 50, optimiser, ema: 0.99, patience, rng: here, quiet: true };
  const run = await fit(model, data, { ...options, ...(onEpoch && { onEpoch }) });
  return { model, run };
}

const looks = new Map<HierarchicalModel, CompiledFunction>();
/** By one draw of all levels: the bound in nats, its error, and the mean KL of each level, top first; compiled once for each model. */
function lookAt(model: HierarchicalModel, x: tf.Tensor, here: Rng) {
  const make = () =>
    compiled(([events], noise) => {
      const { logWeight, klByLevel } = model.terms(events!, noise);
      return [logWeight.neg(), klByLevel.mean(0)];
    });
  const look = looks.get(model) ?? make();
  looks.set(model, look);
  const [each, kls] = look([x], here).map((values) => Array.from(values.dataSync())) as [number[], number[]];
  return { nats: meanOf(each), standardError: errorOf(each), kls };
}
const klsOf = (model: HierarchicalModel, x: tf.Tensor, here: Rng) => lookAt(model, x, here).kls;
/**
 * The mean picture of each example, [B, D], and then with the first 0, 1, … levels kept and those below drawn anew from
 * their prior, so many times, [tries, B, D].
 */
function drawnAnew(model: HierarchicalModel, x: tf.Tensor, tries: number, here: Rng): tf.Tensor[] {
  const draw = compiled(([events], noise) => {
    const { z } = model.terms(events!, noise.fork('posterior'));
    const many = z.map((level) => tf.tile(level, [tries, 1]));
    const anew = [0, ...z.keys()].map((_, keep) => model.resample(many, keep, noise.fork(`keep ${keep}`)));
    return [model.mean(z), ...anew.map((latents) => model.mean(latents).reshape([tries, ...x.shape]))];
  });
  return draw([x], here);
}

// %% [markdown] id="why"
// ## Why levels: what a picture is of, and where its strokes are
//
// A model with two levels: twelve numbers at the top, and below them a map of $4 \times 4$ places with two numbers each. In every row below, a test digit; its mean picture from both levels of its posterior; then the **top kept**, and the map drawn anew from its prior, six times. What stays the same within a row is what the top knows. In the last row nothing is kept.

// %% id="why-picture"
const EPOCHS = budgeted(29, 130);
const courses: { epoch: number; top: number; low: number }[] = [];
const some = tf.tidy(() => digits.validation.x.slice([0, 0], [200, 64])); // to watch the levels by
const mainModel = hierarchicalVae.create(hierarchicalVae.defaults, rng.fork('weights'));
const main = await train(mainModel, digits, rng.fork('fit'), {
  epochs: EPOCHS,
  seen(epoch) {
    const [top, low] = klsOf(mainModel, some, rng.fork('course')) as [number, number];
    courses.push({ epoch, top, low });
  },
});
const TRIES = 6;
/** Rows of pictures: an example, its mean picture, and those with the first levels kept. */
function redrawn(x: tf.Tensor, [own, ...anew]: readonly tf.Tensor[], keep: number): number[][] {
  return tf.tidy(() => rowsOf(tf.stack([x, own!, ...tf.unstack(anew[keep]!)], 1).reshape([-1, 64])));
}
const firstFour = tf.tidy(() => digits.test.x.slice([0, 0], [4, 64]));
const opening = drawnAnew(main.model, firstFour, TRIES, rng.fork('opening'));
imageGrid(
  [...redrawn(firstFour, opening, 1), ...redrawn(firstFour, opening, 0).slice(0, TRIES + 2)],
  { height: 8, width: 8, columns: TRIES + 2, levels: V, title: 'Digit, its mean picture, six with the top kept; last row: nothing kept' },
); // prettier-ignore

// %% [markdown] id="family"
// ## 1 Family
//
// With two levels, $p(\mathbf{x}, \mathbf{z}_1, \mathbf{z}_2) = p(\mathbf{z}_1)\, p(\mathbf{z}_2 \mid \mathbf{z}_1)\, p(\mathbf{x} \mid \mathbf{z}_1, \mathbf{z}_2)$. Each conditional is a diagonal Gaussian whose mean and variance a network reads off the levels above. Given $\mathbf{z}_1$ the numbers of $\mathbf{z}_2$ are independent, but without it they are not: the **marginal** prior $p(\mathbf{z}_2) = \int p(\mathbf{z}_2 \mid \mathbf{z}_1)\, p(\mathbf{z}_1)\, \mathrm{d}\mathbf{z}_1$ is a mixture of infinitely many Gaussians. Where the pixels see $\mathbf{z}_2$ alone, a hierarchy is a flat VAE with a learnt prior (chapter 9), and this prior is a VAE itself.
//
// The posterior has to guess all levels, and there are two orders in which it can:
//
// | | inference | levels are guessed |
// |---|---|---|
// | **bottom-up** (Rezende et al., 2014) | $q(\mathbf{z}_2 \mid \mathbf{x})\, q(\mathbf{z}_1 \mid \mathbf{z}_2)$ | against the order in which they are drawn |
// | **top-down** (Sønderby et al., 2016) | $q(\mathbf{z}_1 \mid \mathbf{x})\, q(\mathbf{z}_2 \mid \mathbf{z}_1, \mathbf{x})$ | in the order in which they are drawn |
//
// Both are exact factorisations of the true posterior if the pixels see $\mathbf{z}_2$ alone; only top-down is, if they see both.

// %% [markdown] id="network"
// ## 2 Network
//
// One path leads **down**: a state, at first nothing, that every level's $\mathbf{z}$ is added to, refined by a residual block, and spread over a finer grid. Prior, posterior and decoder all read this one state, so whatever the levels above said is known below (a **deterministic skip**). An encoder of residual convolutions reads $\mathbf{x}$ and leaves some numbers for each level. With these, the posterior of a level is written *relative to its prior* $\mathcal{N}(\boldsymbol\mu, \mathrm{diag}\, \boldsymbol\sigma^2)$ (Vahdat and Kautz, 2020),
//
// $$q(\mathbf{z}_l \mid \mathbf{z}_{<l}, \mathbf{x}) = \mathcal{N}\bigl(\boldsymbol\mu + \boldsymbol\delta,\; \mathrm{diag}(\boldsymbol\sigma^2 e^{\mathbf{s}})\bigr),$$
//
// with a shift $\boldsymbol\delta$ and a logarithmic factor $\mathbf{s}$ for the variance. When the prior moves, the posterior moves along, and $\boldsymbol\delta = \mathbf{s} = \mathbf{0}$ says "nothing to add". At the top, $\boldsymbol\mu = \mathbf{0}$ and $\boldsymbol\sigma = \mathbf{1}$.

// %% [markdown] id="objective"
// ## 3 Objective
//
// The evidence lower bound of chapter 8, with all latents as one $\mathbf{z}$. Prior and top-down posterior fall apart in the same order, so the KL does, too:
//
// $$\mathrm{ELBO} = \mathbb{E}_q \ln p(\mathbf{x} \mid \mathbf{z}) - \underbrace{\mathrm{KL}[q(\mathbf{z}_1 \mid \mathbf{x}) \,\|\, p(\mathbf{z}_1)]}_{\text{price of the top}} - \mathbb{E}_{q(\mathbf{z}_1 \mid \mathbf{x})} \underbrace{\mathrm{KL}[q(\mathbf{z}_2 \mid \mathbf{z}_1, \mathbf{x}) \,\|\, p(\mathbf{z}_2 \mid \mathbf{z}_1)]}_{\text{price of the level below, given the top}}.$$
//
// ### Exercise: derive the price of a shift and a factor
//
// The second KL, for the posterior of section 2. Start from the KL of two Gaussians (chapter 2). What of the prior drops out, and what remains?

// %% id="residual-kl"
/**
 * KL[N(mu + shift, diag exp(logVar + logScale)) ‖ N(mu, diag exp logVar)], whatever mu is.
 * @param shift [B, L] @param logScale [B, L] @param logVar ln σ² of the prior, [B, L] @returns [B], in nats
 */
function residualKl(shift: tf.Tensor, logScale: tf.Tensor, logVar: tf.Tensor): tf.Tensor {
  // BEGIN SOLUTION hierarchy.residualKl
  const distance = shift.square().div(logVar.exp()); // in variances of the prior
  return distance.add(logScale.exp().sub(1)).sub(logScale).sum(1).div(2);
  // END SOLUTION
}

// %% id="check-residual-kl"
await check('hierarchy.residualKl', residualKl);

// %% [markdown] id="own-residual-kl-text"
// **Your price**, of a shift alone and of a factor alone. A narrow prior makes a shift dear: a level that wants to be free to say things keeps its prior wide. The factor's price knows nothing of the prior's width.

// %% id="own-residual-kl"
const ownKl = yours(residualKl, (shift: tf.Tensor, logScale: tf.Tensor, logVar: tf.Tensor) =>
  klResidual({ shift, logScale }, { mu: tf.zerosLike(shift), logVar }),
);
const way = Array.from({ length: 81 }, (_, i) => (i - 40) / 20); // −2 … 2
const pricesOf = (of: (value: number) => readonly [shift: number, logScale: number, logVar: number]) =>
  tf.tidy(() => {
    const columns = [0, 1, 2].map((k) => tf.tensor2d(way.map((value) => [of(value)[k]!])));
    return Array.from(ownKl(columns[0]!, columns[1]!, columns[2]!).dataSync());
  });
figure(
  [
    ...[0.5, 1, 2].map((sigma) => ({
      x: way,
      y: pricesOf((value) => [value, 0, 2 * Math.log(sigma)]),
      mode: 'lines',
      name: `shift, prior's σ = ${sigma}`,
    })),
    { x: way, y: pricesOf((value) => [0, value, 0]), mode: 'lines', name: 'ln of the factor', line: { dash: 'dot' } },
  ],
  { title: `What one latent costs: ${ownKl.by()}`, xaxis: { title: 'shift, or ln of the factor' }, yaxis: { title: 'nats', range: [0, 3] } },
  { height: 340, alt: 'Parabolas that are the steeper the narrower the prior, and a curve that is steeper to the right' },
); // prettier-ignore

// %% [markdown] id="terms-text"
// **Both levels in turn.** The level below is drawn around the prior *at the $\mathbf{z}_1$ that was drawn*. Anything else in that place, the mean of $\mathbf{z}_1$ or another draw, gives a number that is no bound on this $\ln p(\mathbf{x})$: what the decoder sees would then not be what is paid for.
//
// ### Exercise: two levels, from the top down
//
// Draw the top, then the level below; return the reconstruction and the KL of each level. Your `residualKl` is of use.

// %% id="terms"
/** What a posterior says: of the top in full, and of the level below relative to its prior. */
interface Guess {
  /** [B, L1], of the top: mean, and logarithm of the variance */
  mu: tf.Tensor;
  logVar: tf.Tensor;
  /** [B, L2], of the level below: shift of the prior's mean, and logarithm of a factor for its variance */
  shift: tf.Tensor;
  logScale: tf.Tensor;
}
/**
 * The terms of the bound, by one draw of both levels for each example.
 * @param x integers 0 … V − 1, [B, D] @param encode [B, D] → the guess
 * @param prior z of the top [B, L1] → mean and ln variance of the level below, mu and logVar, [B, L2] each
 * @param decode z of the top, z below → logits [B, D, V] @param rng the one source of noise
 * @returns ln p(x | z), reconstruction [B], and the KL of each level, kl [B, 2], the top first
 */
function hierarchyTerms(
  x: tf.Tensor,
  encode: (x: tf.Tensor) => Guess,
  prior: (z1: tf.Tensor) => { mu: tf.Tensor; logVar: tf.Tensor },
  decode: (z1: tf.Tensor, z2: tf.Tensor) => tf.Tensor,
  rng: Rng,
): { reconstruction: tf.Tensor; kl: tf.Tensor } {
  // BEGIN SOLUTION hierarchy.terms
  const q = encode(x);
  const drawn = (mu: tf.Tensor, logVar: tf.Tensor, noise: Rng) =>
    logVar.div(2).exp().mul(noise.normal(mu.shape)).add(mu);
  const z1 = drawn(q.mu, q.logVar, rng.fork('top'));
  const p = prior(z1);
  const z2 = drawn(p.mu.add(q.shift), p.logVar.add(q.logScale), rng.fork('low'));
  const kl = [klNormal(q.mu, q.logVar), residualKl(q.shift, q.logScale, p.logVar)];
  return { reconstruction: logCategorical(x, decode(z1, z2)), kl: tf.stack(kl, 1) };
  // END SOLUTION
}

// %% id="check-terms"
await check('hierarchy.terms', hierarchyTerms);

// %% [markdown] id="own-terms-text"
// **Your hierarchy.** Dense networks, eight latents at the top and sixteen below, trained by *your* terms, and by the library's parts from the same weights. It has its row on the ladder below.

// %% id="own-terms"
const standard = (like: tf.Tensor) => tf.zerosLike(like);
const libraryTerms: typeof hierarchyTerms = (x, encode, prior, decode, noise) => {
  const guess = encode(x);
  const at = (mu: tf.Tensor, logVar: tf.Tensor, label: string) =>
    mu.add(noise.fork(label).normal(mu.shape).mul(logVar.mul(0.5).exp()));
  const z1 = at(guess.mu, guess.logVar, 'top');
  const given = prior(z1);
  const z2 = at(given.mu.add(guess.shift), given.logVar.add(guess.logScale), 'low');
  const top = klResidual({ shift: guess.mu, logScale: guess.logVar }, { mu: standard(z1), logVar: standard(z1) });
  const reconstruction = categoricalValues(V).logProb(x, decode(z1, z2));
  return {
    reconstruction,
    kl: tf.stack([top, klResidual({ shift: guess.shift, logScale: guess.logScale }, given)], 1),
  };
};
const ownTerms = yours(hierarchyTerms, libraryTerms);
const narrow = { eventShape: [64], values: V, hidden: [128], dropout: 0.2, inputDropout: 0.2 };
const [TOP, LOW] = [8, 16];
/** A VAE of two levels and dense networks, whose bound is made of those terms. */
function twoLevels(terms: typeof hierarchyTerms, here: Rng): GenerativeModel {
  const encoder = denseEncoder(narrow, 2 * (TOP + LOW), here.fork('encoder'));
  const between = mlp([TOP, 64, 2 * LOW], here.fork('prior'), { activation: gelu });
  const network = denseDecoderNetwork({ ...narrow, latent: TOP + LOW, rank: 16 }, V, here.fork('decoder'));
  const prior = (z1: tf.Tensor) => {
    const [mu, logVar] = tf.split(between.apply(z1), 2, 1) as [tf.Tensor, tf.Tensor];
    return { mu, logVar };
  };
  const bound = (x: tf.Tensor, noise: Rng, training?: Rng) => {
    const encode = (events: tf.Tensor) => {
      const parts = tf.split(encoder.apply(events, training?.fork('encoder')), [TOP, TOP, LOW, LOW], 1);
      const [mu, logVar, shift, logScale] = parts as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
      return { mu, logVar, shift, logScale };
    };
    const decode = (z1: tf.Tensor, z2: tf.Tensor) => network.apply(tf.concat([z1, z2], 1), training?.fork('decoder'));
    const { reconstruction, kl } = terms(x, encode, prior, decode, noise);
    return reconstruction.sub(kl.sum(1));
  };
  return {
    eventShape: [64],
    likelihood: { kind: 'lower-bound', logProb: (x, noise) => tf.tidy(() => bound(x, noise)) },
    objectives: [
      {
        name: 'negative bound',
        estimates: 'other', // dropout makes another decoder at every step
        variables: [...encoder.variables, ...between.variables, ...network.variables],
        loss: ({ x }, noise) => tf.tidy(() => bound(x, noise.fork('z'), noise).mean().neg()),
      },
    ],
    sample: ({ count, rng: noise }) =>
      tf.tidy(() => {
        const z1 = noise.fork('top').normal([count, TOP]);
        const { mu, logVar } = prior(z1);
        const z2 = noise.fork('low').normal([count, LOW]).mul(logVar.mul(0.5).exp()).add(mu);
        return categoricalValues(V).sample(network.apply(tf.concat([z1, z2], 1)), noise.fork('x'));
      }),
  };
}
const byOwn = twoLevels(ownTerms, rng.fork('own'));
const byLibrary = twoLevels(libraryTerms, rng.fork('own'));
const ownRun = await train(byOwn, digits, rng.fork('own run'), { epochs: budgeted(15, 80) });
await train(byLibrary, digits, rng.fork('own run'), { epochs: budgeted(15, 80) });
lossCurve(ownRun.run, { title: `Two levels by terms: ${ownTerms.by()}`, unit: 'nats per image, a bound' });
table(
  ([[`by terms, ${ownTerms.by()}`, byOwn], ['by the library’s', byLibrary]] as const).map(([model, made]) => {
    const { nats, standardError } = evaluate(made, digits.validation, rng.fork('own validation'));
    return { model, 'validation, nats': nats, standardError };
  }),
  { caption: 'The same networks from the same weights: bounds by one draw', digits: 2 },
); // prettier-ignore

// %% [markdown] id="linear-text"
// ### Which level says what
//
// In a chain of three numbers everything is known: $z_1 \sim \mathcal{N}(0, 1)$, then $z_2 = a z_1 + \sqrt{1 - a^2}\, \varepsilon$, then $x = w z_2 + \sigma \varepsilon'$. Whatever $a$ is, $z_2 \sim \mathcal{N}(0, 1)$ and $x \sim \mathcal{N}(0, w^2 + \sigma^2)$: **the likelihood does not depend on $a$**. A model of $x$ has no reason to use its top.
//
// ### Predict: what each level holds
//
// *Before* you run the table: with *exact* posteriors, how many nats is the mean KL of each level, if the levels are guessed top-down, $p(z_1 \mid x)$ and then $p(z_2 \mid z_1, x)$, and if they are guessed bottom-up, $p(z_2 \mid x)$ and then $p(z_1 \mid z_2)$? The term of a level is the mean of $\ln q - \ln p$, with the prior $p(z_2 \mid z_1)$ for the lower one in both orders.

// %% id="level-nats"
/**
 * Mean of ln q − ln p of each level under exact posteriors, in nats.
 * @param a from −1 to 1, both excluded @param w of x = w z₂ + σ ε @param sigma σ above 0
 * @returns top, for z₁, and low, for z₂
 */
function levelNats(a: number, w: number, sigma: number, order: 'top-down' | 'bottom-up'): { top: number; low: number } {
  // BEGIN SOLUTION hierarchy.levelNats
  const noise = sigma ** 2;
  const together = 0.5 * Math.log((w ** 2 + noise) / noise); // I(x; z₂): z₁ adds nothing to z₂
  const top =
    order === 'top-down'
      ? 0.5 * Math.log((w ** 2 + noise) / ((1 - a ** 2) * w ** 2 + noise)) // I(x; z₁)
      : -0.5 * Math.log(1 - a ** 2); // I(z₂; z₁)
  return { top, low: together - top };
  // END SOLUTION
}

// %% id="linear-world"
/** What `own` predicts; nothing while it is not written, or throws. */
const prediction =
  <Args extends readonly unknown[], Result>(own: (...args: Args) => Result) =>
  (...args: Args): Result | undefined => {
    try {
      return own(...args);
    } catch {
      return undefined;
    }
  };
const foretold = prediction(levelNats);
const DRAWS = budgeted(40_000);
/** ln q − ln p of both levels, averaged over x and draws from the exact posterior. */
function measured(a: number, w: number, sigma: number, order: 'top-down' | 'bottom-up', here: Rng) {
  return tf.tidy(() => {
    const noise = (label: string) => here.fork(label).normal([DRAWS, 1]);
    const ln = (z: tf.Tensor, mu: tf.Tensor | number, variance: number) => logNormal(z.sub(mu), tf.scalar(0), tf.scalar(Math.log(variance)));
    const z1 = noise('z1');
    const z2 = z1.mul(a).add(noise('z2').mul(Math.sqrt(1 - a * a)));
    const x = z2.mul(w).add(noise('x').mul(sigma)); // then (z1, z2) are a draw from the posterior at x
    const [varX, gain] = [w * w + sigma * sigma, w / (w * w + sigma * sigma)];
    const top = order === 'top-down' ? ln(z1, x.mul(a * gain), 1 - (a * w) ** 2 / varX) : ln(z1, z2.mul(a), 1 - a * a);
    const spread = 1 / (1 / (1 - a * a) + (w / sigma) ** 2); // of z2 given both
    const low =
      order === 'top-down'
        ? ln(z2, z1.mul(a / (1 - a * a)).add(x.mul(w / sigma ** 2)).mul(spread), spread)
        : ln(z2, x.mul(gain), 1 - w * gain);
    const level = (q: tf.Tensor, p: tf.Tensor) => q.sub(p).mean().dataSync()[0]!;
    return { top: level(top, ln(z1, 0, 1)), low: level(low, ln(z2, z1.mul(a), 1 - a * a)) };
  });
} // prettier-ignore
table(
  ([0, 0.6, 0.95] as const).flatMap((a) =>
    (['top-down', 'bottom-up'] as const).map((order) => {
      const { top, low } = measured(a, 2, 1, order, rng.fork(`linear ${a}`));
      const said = foretold(a, 2, 1, order);
      return { a, order, top, 'predicted, top': said?.top ?? '–', low, 'predicted, low': said?.low ?? '–', together: top + low };
    }),
  ),
  { caption: 'z₁ → z₂ → x with w = 2, σ = 1: nats by level, and their sum, which is what x says of the latents', digits: 3 },
); // prettier-ignore

// %% id="check-level-nats"
await check('hierarchy.levelNats', levelNats);

// %% [markdown] id="collapse-text"
// The sum is always the same. With $a = 0$ the top says nothing, and nothing is lost. Upwards, a term of the lower level can even be *negative*: $q(z_2 \mid x)$ does not know $z_1$, and the prior at a $z_1$ that was guessed from $z_2$ does know $z_2$. That is no bug; only the sum is a KL.
//
// **On the digits.** The same networks, smaller, for the same number of passes, with one thing changed at a time: bottom-up with a decoder that sees the lowest level alone; bottom-up with the skip; top-down with the skip. All without free bits.

// %% id="collapse"
const smaller = { ...hierarchicalVae.defaults, channels: 10, blocks: 1, freeBits: 0 };
const SHORT = budgeted(12, 60);
async function small(change: Partial<HierarchicalVaeConfig>) {
  const model = hierarchicalVae.create({ ...smaller, ...change }, rng.fork('small'));
  await train(model, digits, rng.fork('small run'), { epochs: SHORT, patience: 100 });
  return model;
}
/** Bound and levels of a model on validation data. */
function standing(model: HierarchicalModel) {
  const { nats, standardError, kls } = lookAt(model, digits.validation.x, rng.fork('small validation'));
  return { 'bound, nats': nats, standardError, 'KL, top': kls[0], 'KL, low': kls[1] };
}
const plainStands = standing(await small({}));
const orders = [];
for (const skip of [false, true].slice(0, budgeted(2)))
  orders.push({
    inference: 'bottom-up',
    'decoder sees': skip ? 'both' : 'the lowest level',
    ...standing(await small({ inference: 'bottom-up', skip })),
  });
orders.push({ inference: 'top-down', 'decoder sees': 'both', ...plainStands }); // prettier-ignore
table(orders, { caption: 'Two levels without free bits, validation: nats per image, one draw', digits: 2 });

// %% [markdown] id="price-text"
// A level with a KL of next to nothing has **collapsed**: its posterior is its prior. The prior network, not the data, says what it is, and $\mathbf{z}_l$ is noise that the decoder has learnt to ignore. The chain said why nothing forbids it. And early in training much speaks for it: a level that is noise at first is ignored by the decoder, and a level that is ignored has no reason to be anything else.
//
// **Free bits** (chapter 8) forbid it. There, each coordinate had some nats free. Here it is the *level* that is to stay alive; which of its coordinates speak is its own affair.
//
// ### Exercise: design a price by level
//
// Write a price in the place of the sum of the mean KLs. As in chapter 8, only its gradient matters:
//
// * a level whose KL, summed over its coordinates and averaged over the batch, is below `free`, feels no pull;
// * one that is above feels the pull of its mean KL, unchanged;
// * each level has its own `free` nats.

// %% id="price"
/**
 * The price of all levels, in place of the sum of their mean KLs.
 * @param kl for each level the KL of its coordinates for each example, [B, L] @param free nats a level that cost nothing
 * @returns []
 */
function levelPrice(kl: tf.Tensor[], free: number): tf.Tensor {
  // BEGIN SOLUTION hierarchy.price
  return tf.addN(kl.map((level) => level.sum(1).mean().maximum(free)));
  // END SOLUTION
}

// %% id="check-price"
await check('hierarchy.price', levelPrice);

// %% [markdown] id="sharing-text"
// ### Predict: who holds what when some is free
//
// *Before* you run the table: say a family is so flexible that its levels can share $T$ nats in any way, $\mathrm{KL}_1 + \dots + \mathrm{KL}_L = T$, all with the same likelihood and with exact posteriors. Training minimises $-\ln p(\mathbf{x}) + \sum_l \max(\lambda, \mathrm{KL}_l) - T$. How much may one level hold at the minimum, at least and at most? And by how much is the minimum above $-\ln p(\mathbf{x})$?

// %% id="sharing"
/**
 * Shares of T nats among levels at which Σ max(λ, KL) is least.
 * @param total T, at least 0 @param levels at least 2 @param free λ, at least 0
 * @returns least and most: what one level may hold; extra: what the price is above T
 */
function sharing(total: number, levels: number, free: number): { least: number; most: number; extra: number } {
  // BEGIN SOLUTION hierarchy.sharing
  const others = (levels - 1) * free;
  const spare = total - levels * free;
  if (spare >= 0) return { least: free, most: total - others, extra: 0 };
  return { least: Math.max(0, total - others), most: Math.min(free, total), extra: -spare };
  // END SOLUTION
}

// %% id="priced"
const ownPrice = yours(levelPrice, (kl: tf.Tensor[], free: number) =>
  tf.addN(kl.map((level) => tf.relu(level.mean(0).sum().sub(free)))),
);
const share = prediction(sharing);
/** The model with its levels priced by your function. */
function priced(model: HierarchicalModel, free: number): HierarchicalModel {
  const { encoder, inference, levels, decoder, objectives } = model;
  const objective = {
    ...objectives[0]!,
    name: 'priced bound',
    estimates: 'other' as const,
    loss: ({ x }: { x: tf.Tensor }, noise: Rng) =>
      tf.tidy(() => {
        const h = encoder.apply(x, noise.fork('encoder'));
        const { kl, state } = inference.draw(h, levels, noise.fork('z'), noise.fork('levels'));
        const price = ownPrice(kl.map((level) => level.expandDims(1)), free); // prettier-ignore
        return price.sub(decoder.logProb(x, state, noise.fork('decoder')).mean());
      }),
  };
  return { ...model, objectives: [objective] };
}
const thresholds = [];
async function standingAt(free: number) {
  if (free === 0) return plainStands; // trained above
  const made = priced(hierarchicalVae.create(smaller, rng.fork('small')), free);
  await train(made, digits, rng.fork('small run'), { epochs: SHORT, patience: 100 });
  return standing(made);
}
for (const free of [0, 4, 20].slice(0, 1 + budgeted(2))) {
  const stands = await standingAt(free);
  const held = share(stands['KL, top']! + stands['KL, low']!, 2, free);
  thresholds.push({
    'λ, nats a level': free,
    ...stands,
    'predicted, at least': held?.least ?? '–',
    'predicted, at most': held?.most ?? '–',
  });
}
table(thresholds, { caption: `Free bits by level (${ownPrice.by()}): validation, nats per image, one draw`, digits: 2 }); // prettier-ignore

// %% id="check-sharing"
await check('hierarchy.sharing', sharing);

// %% [markdown] id="sharing-after"
// As long as there is enough for all levels, free bits cost *nothing* at the optimum: they only choose among shares that are equally good, and forbid those in which a level is dead. The bound that is printed is the true one, without anything free.

// %% [markdown] id="optimiser"
// ## 4 Optimiser
//
// As in chapter 8, with the same numbers, so that levels are all that differs: **AdamW** with learning rate 0.003, **weight decay** 0.01, gradients longer than 100 **clipped**, the **average of the weights** over the last hundred steps, **dropout** in the encoder, its input and the decoder, and **early stopping** on the validation bound. And 3 **free nats** a level, from the first step to the last. Hierarchies of dozens of levels need more: NVAE regularises every layer's spectral norm and warms the KL up, with a weight for each level meanwhile; VDVAE (Child, 2021) skips steps whose gradient is too long.

// %% [markdown] id="training"
// ## 5 Training
//
// The model of the first picture: its loss, and the KL of each level after every pass.

// %% id="train-main"
lossCurve(main.run, { title: 'Two levels, top-down', unit: 'nats per image, a bound' });
figure(
  [
    { x: courses.map(({ epoch }) => epoch), y: courses.map(({ top }) => top), mode: 'lines', name: 'top, 12 numbers' },
    { x: courses.map(({ epoch }) => epoch), y: courses.map(({ low }) => low), mode: 'lines', name: 'map, 4 × 4 × 2 numbers' },
    { x: [1, courses.length], y: [3, 3], mode: 'lines', name: 'free', line: { dash: 'dot' } },
  ],
  { title: 'What the levels say during training', xaxis: { title: 'epoch' }, yaxis: { title: 'KL, nats', rangemode: 'tozero' } },
  { height: 340, alt: 'KL of two levels over the epochs, and the nats that are free' },
); // prettier-ignore

// %% [markdown] id="three-text"
// **Three levels**: eight numbers, a map of $2 \times 2 \times 4$, and one of $4 \times 4 \times 2$.

// %% id="three"
const deeper = hierarchicalVae.create(
  { ...hierarchicalVae.defaults, levels: [{ side: 1, channels: 8 }, { side: 2, channels: 4 }, { side: 4, channels: 2 }] },
  rng.fork('three'),
); // prettier-ignore
const three = await train(deeper, digits, rng.fork('three run'), { epochs: budgeted(15, 130) });
table(
  ([['two levels', main], ['three levels', three]] as const).map(([name, { model, run }]) => {
    const { nats, standardError, kls } = lookAt(model, digits.validation.x, rng.fork('depth'));
    return { model: name, weights: weightsOf(model), epochs: run.history.length, 'bound, nats': nats, standardError, ...Object.fromEntries(kls.map((kl, l) => [`KL ${l + 1}`, kl])) };
  }),
  { caption: 'Validation: nats per image, one draw', digits: 2 },
); // prettier-ignore

// %% [markdown] id="hyperparameters"
// ## 6 Hyperparameters and the likelihood of new inputs
//
// Levels, $\lambda$ and widths were chosen by the validation bound. **The flat rival**: the convolutional VAE of chapter 8 with as many latents as it takes to have as many weights, trained in the same way for as long: a pass of it is cheaper, so it may take more of them. Both end early once twenty passes have not improved the validation bound. The table says what they took.

// %% id="rival"
const wide = { ...convolutionalVae.defaults, latent: 34 };
const FLAT_EPOCHS = budgeted(40, 175); // a pass is cheaper: as many seconds of training
const trainFlat = (here: Rng) =>
  train(convolutionalVae.create(wide, here.fork('weights')), digits, here.fork('fit'), { epochs: FLAT_EPOCHS });
const trainLevels = (here: Rng) =>
  train(hierarchicalVae.create(hierarchicalVae.defaults, here.fork('weights')), digits, here.fork('fit'), {
    epochs: EPOCHS,
  });
const rival = await trainFlat(rng.fork('flat'));
const standings = [];
for (const [name, trained] of [
  ['flat', rival],
  ['two levels', main],
] as const) {
  const { run } = trained;
  standings.push({
    model: name,
    weights: weightsOf(trained.model),
    epochs: run.history.length,
    'best epoch': run.best?.epoch ?? '–',
    'seconds of training': run.milliseconds / 1000,
    'validation, one draw': evaluate(trained.model, digits.validation, rng.fork('rivals')).nats,
  });
}
table(standings, { caption: 'Two rivals', digits: 1 }); // prettier-ignore

// %% [markdown] id="ladder-text"
// ### The ladder
//
// On the test set, which is looked at only now. Bounds by the same number of draws. The table after it takes the difference image by image, which both models see in the same test set: its standard error is that of the **paired** difference. After the few passes of the default budget the flat model is ahead: levels must first come to life, as the figure of section 5 shows. What they gain takes the passes of `--budget full`.

// %% id="ladder"
const MOST = budgeted(20, 1000);
const boundBy = (model: GenerativeModel, K: number, x: tf.Tensor, here: Rng) =>
  evaluate(importanceBound(model, K), { x }, here, { batchSize: K > 20 ? 3 : 149 }).perExample; // 3 · 149 test images
const flats = [rival.model];
const levelled = [main.model];
if (fullBudget())
  for (const here of [rng.fork('second seed'), rng.fork('third seed')]) {
    flats.push((await trainFlat(here.fork('flat'))).model);
    levelled.push((await trainLevels(here.fork('levels'))).model);
  }
const flatNats = flats.map((model, i) => boundBy(model, MOST, digits.test.x, rng.fork(`flat ${i}`)));
const levelNatsEach = levelled.map((model, i) => boundBy(model, MOST, digits.test.x, rng.fork(`levels ${i}`)));
/** The ladder asks for all test images at once: it gets what was computed in batches that fit into memory. */
const told = (models: readonly GenerativeModel[], nats: readonly Float32Array[]): GenerativeModel[] =>
  models.map((model, i) => ({
    ...model,
    likelihood: { kind: 'lower-bound', logProb: () => tf.tidy(() => tf.tensor1d(nats[i]!).neg()) },
  }));
const rungs = rungsOf(
  [
    ...(await baselines(digits, rng.fork('baselines'))),
    { name: `two dense levels: ${ownTerms.by()}, 1 draw`, model: byOwn },
    ...(MOST > 1
      ? [
          { name: 'three levels, 1 draw', model: three.model },
          { name: 'flat, 1 draw', model: flats },
          { name: 'two levels, 1 draw', model: levelled },
        ]
      : []),
    { name: `flat, ${MOST} draws`, model: told(flats, flatNats) },
    { name: `two levels, ${MOST} draws`, model: told(levelled, levelNatsEach) },
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
    'spread over seeds': spread ?? '',
    'above the best': behind,
    'its error (paired)': behindError,
  })),
  { caption: 'Digits, test set: nats per image', digits: 2 },
);

// %% id="paired"
const pairs = flats.map((_, i) => {
  const gains = Array.from(flatNats[i]!, (nats, n) => nats - levelNatsEach[i]![n]!);
  const [top, low] = klsOf(levelled[i]!, digits.test.x.slice([0, 0], [200, 64]), rng.fork('test kl'));
  return {
    seed: `${i + 1}`,
    flat: meanOf(flatNats[i]!),
    'two levels': meanOf(levelNatsEach[i]!),
    gain: meanOf(gains),
    'its error (paired)': errorOf(gains),
    'KL, top': top,
    'KL, low': low,
  };
});
const gainOf = (n: number) => meanOf(flatNats.map((nats, i) => nats[n]! - levelNatsEach[i]![n]!));
const everyGain = Array.from(flatNats[0]!, (_, n) => gainOf(n));
table(
  [
    ...pairs,
    {
      seed: 'all',
      flat: meanOf(pairs.map(({ flat }) => flat)),
      'two levels': meanOf(pairs.map((row) => row['two levels'])),
      gain: meanOf(everyGain),
      'its error (paired)': errorOf(everyGain),
      'KL, top': '',
      'KL, low': '',
    },
  ],
  {
    caption: `Flat less two levels, test images, ${MOST} draws each: nats per image`,
    digits: 2,
  },
);
figure(
  [{ type: 'histogram', x: everyGain, nbinsx: 40, name: 'test images' }],
  { xaxis: { title: 'what two levels gain on a test image, nats' }, yaxis: { title: 'images' } },
  { height: 260, alt: 'Histogram of the gain of two levels over the flat model, image by image' },
); // prettier-ignore

// %% [markdown] id="sampling"
// ## 7 Sampling
//
// From the top down, level after level, then all pixels at once. **What each level holds**: three levels, and each row keeps one more of them. Kept are the latents of one test digit; everything below is drawn anew. Mean pictures.

// %% id="level-by-level"
const shown = tf.tidy(() => digits.test.x.slice([5, 0], [1, 64]));
const levelByLevel = drawnAnew(three.model, shown, TRIES, rng.fork('level by level'));
imageGrid(
  [0, 1, 2, 3].flatMap((keep) => redrawn(shown, levelByLevel, keep)),
  { height: 8, width: 8, columns: TRIES + 2, levels: V, title: 'Digit, its mean picture; then nothing kept, the top, two levels, all three' },
); // prettier-ignore

// %% [markdown] id="levels-measured-text"
// How much is decided at each level? The variance of the mean pictures over fresh draws below, a pixel, in squared grey levels: when a level is kept, what it decided no longer varies. Averaged over twenty test digits.

// %% id="levels-measured"
const REDRAWN = Math.max(2, budgeted(8)); // times
/** With 0, 1, … levels kept. */
function varietyOf(model: HierarchicalModel): number[] {
  return tf.tidy(() => {
    const [, ...anew] = drawnAnew(model, digits.test.x.slice([0, 0], [20, 64]), REDRAWN, rng.fork('variety'));
    const variance = (drawn: tf.Tensor) => tf.moments(drawn, 0).variance.mean().dataSync()[0]!;
    return anew.map((drawn) => variance(drawn) * (REDRAWN / (REDRAWN - 1)));
  });
}
const [ofTwo, ofThree] = [varietyOf(main.model), varietyOf(three.model)];
table(
  [0, 1, 2, 3].map((keep) => ({
    'levels kept': keep,
    'two levels': ofTwo[keep] ?? '',
    'three levels': ofThree[keep]!,
  })),
  { caption: 'Variance of the mean picture, a pixel', digits: 2 },
);

// %% id="samples"
for (const [title, model] of [['Flat', rival.model], ['Two levels', main.model]] as const)
  imageGrid(rowsOf(model.sample({ count: 20, rng: rng.fork(title) })), { height: 8, width: 8, columns: 10, levels: V, title }); // prettier-ignore

// %% [markdown] id="card-text"
// ## The card
//
// The lecture's overview, filled in for this family.

// %% id="card"
card(hierarchicalVae.card);

// %% [markdown] id="bug"
// ## The bug to find
//
// A **ladder VAE** (Sønderby et al., 2016) makes the posterior of a level of two opinions, that of the encoder, $\mathcal{N}(\boldsymbol\mu_E, \boldsymbol\sigma_E^2)$, and that of the prior given the levels above, $\mathcal{N}(\boldsymbol\mu_P, \boldsymbol\sigma_P^2)$: their product, brought to mass 1, in which each mean counts by its **precision** $1/\sigma^2$, and the precisions add up. In a much-copied collection of VAEs, an issue asks why the KL of a level is taken to something else than it should. The code below does that.
//
// ### Exercise: repair it
//
// Return the merged Gaussian, from which $\mathbf{z}$ is drawn, and the price of the level. The cell after it asks your function in the linear world of section 3, with an encoder for which the merged Gaussian *is* the posterior: the bound must then be $\ln p(x)$, neither less nor more.

// %% id="ladder-level"
/**
 * A level of a ladder: the encoder's Gaussian and the prior's, merged, and the KL of the level.
 * @param muE of the encoder, [B, L] @param logVarE [B, L] @param muP of the prior, [B, L] @param logVarP [B, L]
 * @returns of what z is drawn from, mu and logVar [B, L]; kl [B], in nats
 */
function ladderLevel(
  muE: tf.Tensor,
  logVarE: tf.Tensor,
  muP: tf.Tensor,
  logVarP: tf.Tensor,
): { mu: tf.Tensor; logVar: tf.Tensor; kl: tf.Tensor } {
  // BEGIN SOLUTION hierarchy.ladder
  // The code that was given pays for the way from what the encoder says, which is no prior: sampling does not know it.
  const [sureE, sureP] = [logVarE.neg().exp(), logVarP.neg().exp()];
  const logVar = sureE.add(sureP).log().neg();
  const mu = muE.mul(sureE).add(muP.mul(sureP)).mul(logVar.exp());
  const klTo = (m: tf.Tensor, v: tf.Tensor) => {
    const ratio = logVar.sub(v);
    return mu.sub(m).square().div(v.exp()).add(ratio.exp().sub(1).sub(ratio)).sum(1).div(2);
  };
  return { mu, logVar, kl: klTo(muP, logVarP) };
  // END SOLUTION
  // BEGIN GIVEN
  // const [a, b] = [tf.exp(logVarE.mul(-1)), tf.exp(logVarP.mul(-1))]; // precisions
  // const mu = tf.div(tf.add(a.mul(muE), b.mul(muP)), a.add(b));
  // const logVar = tf.log(a.add(b)).mul(-1);
  // const gap = logVar.sub(logVarE);
  // const kl = tf.square(mu.sub(muE)).mul(a).add(tf.exp(gap)).sub(gap).sub(1).sum(1).mul(0.5);
  // return { mu, logVar, kl };
  // END GIVEN
}

// %% id="ladder-world"
/** The bound at a few x in the chain with a = 0.8, by exact posteriors: the top's in closed form, the level below by the ladder. */
const claims = [0, 1, 3].map((value) => {
  const [a, w, sigma, N] = [0.8, 2, 1, 20_000];
  return tf.tidy(() => {
    const ln = (v: tf.Tensor, variance: number) => logNormal(v, tf.scalar(0), tf.scalar(Math.log(variance)));
    const varX = w * w + sigma * sigma;
    const x = tf.fill([N, 1], value);
    const [m1, v1] = [(a * w * value) / varX, 1 - (a * w) ** 2 / varX];
    const z1 = rng.fork(`ladder top ${value}`).normal([N, 1]).mul(Math.sqrt(v1)).add(m1);
    const level = ladderLevel(x.div(w), tf.fill([N, 1], 2 * Math.log(sigma / w)), z1.mul(a), tf.fill([N, 1], Math.log(1 - a * a)));
    const z2 = rng.fork(`ladder low ${value}`).normal([N, 1]).mul(level.logVar.mul(0.5).exp()).add(level.mu);
    const top = klNormal(tf.fill([1, 1], m1), tf.fill([1, 1], Math.log(v1))).dataSync()[0]!;
    const bounds = ln(x.sub(z2.mul(w)), sigma * sigma).sub(level.kl).sub(top).dataSync();
    return { x: value, claimed: meanOf(bounds), standardError: errorOf(bounds), 'ln p(x)': ln(tf.tensor2d([[value]]), varX).dataSync()[0]! };
  });
}); // prettier-ignore
table(claims, {
  caption: claims.some((row) => Math.abs(row.claimed - row['ln p(x)']) > 5 * row.standardError + 1e-3)
    ? 'Not ln p(x), though every posterior is exact'
    : 'The posteriors are exact, and the bound is ln p(x)',
  digits: 3,
});

// %% id="check-ladder"
await check('hierarchy.ladder', ladderLevel);

// %% [markdown] id="costs"
// ## What it costs
//
// Measured on this machine, now, in batches of 50: the median of some calls after the first one, which compiles. Levels come one after the other: each adds the depth of its block to every pass, up or down.

// %% id="measure-costs"
/** Milliseconds an example, the median of some calls after the first one. */
async function timed(count: number, body: () => unknown): Promise<number> {
  const times = [];
  for (let call = 0; call <= budgeted(7); call++) {
    const started = performance.now();
    await body();
    times.push((performance.now() - started) / count);
  }
  const later = times.slice(1).sort((a, b) => a - b);
  return later[Math.floor(later.length / 2)]!;
}
const fifty = { x: tf.tidy(() => digits.train.x.slice([0, 0], [50, 64])) };
const costs = [];
const each: readonly (readonly [string, GenerativeModel])[] = [
  ['flat', rival.model],
  ['two levels', main.model],
  ['three levels', three.model],
];
for (const [model, made] of each.slice(0, budgeted(3)))
  costs.push({
    model,
    weights: weightsOf(made),
    'bound, ms': await timed(50, () => evaluate(made, fifty, rng, { batchSize: 50 })),
    'ten draws, ms': await timed(50, () => evaluate(importanceBound(made, 10), fifty, rng, { batchSize: 50 })),
    'sample, ms': await timed(50, () => made.sample({ count: 50, rng: rng.fork('cost') }).dispose()),
  });
table(costs, { caption: 'Milliseconds an example', digits: 3 });

// %% [markdown] id="failures"
// ## Where it fails
//
// **More levels than the data have.** Sixty-four pixels do not fill many levels. With more nats free than the data need, levels say more than they need to, since saying less saves nothing: the last row of the table of free bits in section 3, where the true bound pays for it.
//
// **A KL is not a meaning.** That a level holds three nats says that it is used, not what for. In the chain, any share between the levels has the same likelihood, and so may models that put the class at the top, or nothing. Resampling shows what a level holds in *this* model, from *this* seed.
//
// **Depth hurts training before it helps.** Every level adds noise that those below must cope with early on. Very deep hierarchies needed residual posteriors, spectral regularisation, gradient skipping and careful starts to train at all (Vahdat and Kautz, 2020; Child, 2021). Diffusion (chapter 11) is a hierarchy of hundreds of levels whose posterior is fixed, and which therefore trains level by level, without any of this.
//
// **The bound is still a bound.** More levels make the posterior as a whole less Gaussian, which can make the bound tighter, but each factor is a diagonal Gaussian still.
//
// ### Sources
//
// D. Rezende, S. Mohamed, D. Wierstra, *Stochastic backpropagation*, ICML 2014. D. Kingma, M. Welling, *Auto-encoding variational Bayes*, ICLR 2014. Y. Burda, R. Grosse, R. Salakhutdinov, *Importance weighted autoencoders*, ICLR 2016. C. Sønderby et al., *Ladder variational autoencoders*, NeurIPS 2016. D. Kingma et al., *Improving variational inference with inverse autoregressive flow*, NeurIPS 2016. L. Maaløe et al., *BIVA*, NeurIPS 2019. A. Vahdat, J. Kautz, *NVAE*, NeurIPS 2020. R. Child, *Very deep VAEs generalize autoregressive models*, ICLR 2021. J. Tomczak, *Deep Generative Modeling* (2024), chapter 5. The bug is in a collection of VAEs in PyTorch (github.com/AntixK/PyTorch-VAE, issue 25).
