// %% [markdown] id="title"
// # 4 Probabilistic circuits
//
// A mixture adds up whole pictures. It cannot say "this loop as in one style, that stroke as in another": every combination needs a component of its own. A **probabilistic circuit** mixes at every level. It is a network of two kinds of units,
//
// $$\text{product:}\;\; f(\mathbf{x}) = \prod_c f_c(\mathbf{x}_c), \qquad \text{sum:}\;\; f(\mathbf{x}) = \sum_j w_j\, f_j(\mathbf{x}) \;\;\text{with}\;\; w_j \ge 0,\; \sum_j w_j = 1,$$
//
// on top of leaves, which are tables of probabilities of a single variable. Two rules of construction make it a probability distribution, and more: **any marginal, any conditional, exactly, in one pass**. A model that writes a picture pixel by pixel can go on from where it is; a circuit completes any pixels from any others, without having been trained for that question.
//
// By the end of this chapter you have checked and evaluated circuits, learnt their structure from data, trained them without a learning rate, and found a mistake that a published library made. Everything printed below was computed by running this file (`npm run solutions -- 04`).

// %% tags=["setup"] id="setup"
import * as tf from '@tensorflow/tfjs';
import { check, NotWritten } from 'grader';
import {
  adam,
  baselines,
  budgeted,
  card,
  chowLiuTree,
  circuit,
  createRng,
  em,
  evaluate,
  evaluateCircuit,
  figure,
  fit,
  hiddenTree,
  histogramBaseline,
  imageGrid,
  imageHalves,
  isingSource,
  ladder,
  load,
  lossCurve,
  markovSource,
  rungsOf,
  sweep,
  table,
  tableSource,
  type Circuit,
  type Rng,
  type Structure,
} from 'dgm';

const rng = createRng(4); // the one seed of this chapter: change it and every number moves a little
const digits = load('digits');
const V = digits.values; // 17 grey levels

// %% [markdown] id="why"
// ## Why sums and products
//
// Below, digits that the model has never seen. It is shown the upper half (second row) and draws the lower half, three times, from the exact conditional distribution $p(\mathbf{x}_{\text{lower}} \mid \mathbf{x}_{\text{upper}})$. It was trained on whole pictures for a few seconds, and asked for halves afterwards: it could as well be asked for the left side, or for every other pixel.

// %% id="why-picture"
const tree = chowLiuTree(digits.train.x, V); // section 2 says what this is
const small = { ...circuit.defaults, structure: hiddenTree(tree, V, 8) };
const first = circuit.create(small, rng.fork('first'));
const firstRun = await em(first, digits, { iterations: budgeted(60), patience: 8, rng: rng.fork('first run') });

const shown = tf.tidy(() => digits.test.x.slice([0, 0], [10, 64]));
const upper = tf.tidy(() => tf.tile(tf.range(0, 64).less(32).toFloat().expandDims(0), [10, 1])); // [10, 64] of 1 and 0
const rowsOfPixels = (x: tf.Tensor) => x.arraySync() as number[][];
const half = tf.tidy(() => tf.where(upper.cast('bool'), shown, 8)); // grey where nothing is shown
const completions = [1, 2, 3].map((draw) => first.complete(shown, upper, rng.fork(`completion ${draw}`)));
imageGrid([shown, half, ...completions].flatMap(rowsOfPixels), {
  height: 8,
  width: 8,
  columns: 10,
  levels: V,
  title: 'Test digits; what the model is shown; three completions',
});

// %% [markdown] id="family"
// ## 1 Family
//
// The **scope** of a unit is the set of variables below it. Two rules:
//
// * **decomposable**: the children of a product have *disjoint* scopes;
// * **smooth**: the children of a sum have the *same* scope.
//
// Then every unit is a normalised distribution over its scope, by induction: a leaf is; a product of distributions over different variables is; and a sum of distributions over the same variables, with weights that sum to 1, is. And sums over a variable move down to its leaves: $\sum_{x_d} \prod_c f_c = \bigl(\sum_{x_d} f_{c(d)}\bigr) \prod_{c \ne c(d)} f_c$, where $c(d)$ is the only child that knows $x_d$, and $\sum_{x_d} \sum_j w_j f_j = \sum_j w_j \sum_{x_d} f_j$. At the leaf, $\sum_{x_d} p(x_d) = 1$. So **to sum a variable out, set its leaves to 1** and evaluate as before.
//
// Here a circuit is a list of nodes, children before parents, and the last one is the root.
//
// ### Exercise: is it a circuit?
//
// Return the place of the first node that breaks a rule, and −1 when there is none. A product with two children that share a variable breaks one; a sum whose children have different scopes breaks the other.

// %% id="violation"
type Node =
  | { readonly kind: 'leaf'; readonly variable: number; readonly p: readonly number[] }
  | { readonly kind: 'product'; readonly children: readonly number[] }
  | { readonly kind: 'sum'; readonly children: readonly number[]; readonly weights: readonly number[] };

/**
 * The first node that is not smooth (a sum) or not decomposable (a product).
 * @param nodes children before parents @returns its index, or −1
 */
function violation(nodes: readonly Node[]): number {
  // BEGIN SOLUTION circuit.violation
  const scopes: Set<number>[] = [];
  for (const [place, unit] of nodes.entries()) {
    const isLeaf = unit.kind === 'leaf';
    if (isLeaf) {
      scopes.push(new Set([unit.variable]));
      continue;
    }
    const below = unit.children.map((child) => scopes[child]!);
    const all = new Set(below.flatMap((scope) => [...scope]));
    const disjoint = below.reduce((sum, scope) => sum + scope.size, 0) === all.size;
    const equal = below.every((scope) => scope.size === all.size);
    if (unit.kind === 'product' ? !disjoint : !equal) return place;
    scopes.push(all);
  }
  return -1;
  // END SOLUTION
}

// %% id="check-violation"
await check('circuit.violation', violation);

// %% [markdown] id="evaluate-text"
// ### Exercise: one pass
//
// Evaluate a circuit from the leaves to the root, in logarithms: a product adds, a sum takes $\ln \sum_j w_j e^{a_j}$ with the largest term taken out first, as in chapter 3. Where `x` holds `null`, the variable is summed out.
//
// Weights of 0, and values of probability 0, give $-\infty$. Take care that $-\infty - (-\infty)$, which is NaN, never happens. The largest term is the largest $\ln w_j + a_j$: an input of weight 0 must not drown the others, however probable it is.

// %% id="evaluate"
/**
 * ln p of the coordinates that are not null, the others summed out.
 * @param x one entry a variable: the index of its value, or null @returns a number, in nats
 */
function logCircuit(nodes: readonly Node[], x: readonly (number | null)[]): number {
  // BEGIN SOLUTION circuit.evaluate
  const logs: number[] = []; // of each node
  for (const unit of nodes) {
    if (unit.kind === 'leaf') {
      const seen = x[unit.variable] ?? null;
      logs.push(seen === null ? 0 : Math.log(unit.p[seen]!));
    } else if (unit.kind === 'product') {
      logs.push(unit.children.reduce((sum, child) => sum + logs[child]!, 0));
    } else {
      const terms = unit.children.map((child, j) => Math.log(unit.weights[j]!) + logs[child]!); // ln w + a
      const largest = terms.reduce((a, b) => Math.max(a, b));
      const total = terms.reduce((sum, term) => sum + Math.exp(term - largest), 0);
      logs.push(largest === -Infinity ? -Infinity : largest + Math.log(total));
    }
  }
  return logs[logs.length - 1]!;
  // END SOLUTION
}

// %% id="check-evaluate"
await check('circuit.evaluate', logCircuit);

// %% [markdown] id="marginals-text"
// With the library's own evaluation, every marginal of a small circuit: two clusters of two variables each. In the first, A, both variables tend to be 0; in the second, B, they tend to be 1. The last column is the marginal as a sum of the rows above it: the circuit got it in one pass.

// %% id="marginals"
const twoClusters: Circuit = {
  structure: {
    variables: 2,
    values: 2,
    nodes: [
      { kind: 'leaf', variable: 0, units: 2 },
      { kind: 'leaf', variable: 1, units: 2 },
      { kind: 'product', children: [0, 1] },
      { kind: 'sum', children: [2], units: 1 },
    ],
  },
  tables: [
    [
      [0.9, 0.1],
      [0.2, 0.8],
    ], // x0 in A and in B
    [
      [0.7, 0.3],
      [0.1, 0.9],
    ], // x1
    [],
    [[0.6, 0.4]], // A and B
  ],
};
const pairs = [0, 1].flatMap((a) => [0, 1].map((b) => [a, b]));
const probability = (x: readonly (number | null)[]) => Math.exp(evaluateCircuit(twoClusters, x));
table(
  [...pairs, [0, null], [1, null], [null, 0], [null, 1], [null, null]].map((x) => ({
    x0: x[0] ?? 'any',
    x1: x[1] ?? 'any',
    'one pass': probability(x),
    'sum over what is missing': pairs
      .filter((pair) => pair.every((v, d) => x[d] === null || x[d] === v))
      .reduce((sum, pair) => sum + probability(pair), 0),
  })),
  { caption: 'Every marginal of a small circuit', digits: 4 },
);

// %% [markdown] id="network"
// ## 2 Network
//
// The network *is* the structure: who is summed and who is multiplied. It can be guessed (cut the picture in halves, and again: `imageHalves`), drawn at random, or learnt. The classic way to learn one is from 1968.
//
// **Chow–Liu trees.** Of all distributions in which every variable depends on one other, $p(\mathbf{x}) = \prod_d p(x_d \mid x_{\text{parent}(d)})$, which one is closest to the data? The likelihood of the training set splits, up to what no tree can change, into the mutual informations along the edges,
//
// $$I(x_i; x_j) = \sum_{u, v} \hat p(u, v) \ln \frac{\hat p(u, v)}{\hat p(u)\, \hat p(v)},$$
//
// so the best tree is the spanning tree with the largest sum of them.
//
// ### Exercise: mutual information
//
// From a table of counts. A pair of values that never occurs contributes nothing ($0 \ln 0 = 0$). Two slips are easy: counts where frequencies belong, and marginals of the wrong axis, which no symmetric table shows.

// %% id="mutual-information"
/**
 * I(x; y) = Σ_uv p(u, v) ln (p(u, v) / (p(u) p(v))), from counts.
 * @param counts [U][V], how often (u, v) was seen, at least once in all @returns nats, at least 0
 */
function mutualInformation(counts: readonly (readonly number[])[]): number {
  // BEGIN SOLUTION circuit.mutualInformation
  const ofRow = counts.map((row) => row.reduce((a, b) => a + b, 0));
  const ofColumn = counts[0]!.map((_, v) => counts.reduce((sum, row) => sum + row[v]!, 0));
  const total = ofRow.reduce((a, b) => a + b, 0);
  let nats = 0;
  for (const [u, row] of counts.entries())
    for (const [v, count] of row.entries())
      if (count > 0) nats += (count / total) * Math.log((count * total) / (ofRow[u]! * ofColumn[v]!));
  return nats;
  // END SOLUTION
}

// %% id="check-mutual-information"
await check('circuit.mutualInformation', mutualInformation);

// %% [markdown] id="spanning-tree-text"
// ### Exercise: the spanning tree
//
// Prim's way: start with variable 0 in the tree; again and again join the outside variable that has the heaviest edge into the tree, and note the other end of that edge as its parent. An edge of weight 0 is an edge: a variable that knows nothing of the others hangs somewhere, too. (A published library lost such variables, because its spanning tree took 0 for "no edge".)

// %% id="spanning-tree"
/**
 * The spanning tree with the largest sum of weights, rooted at variable 0.
 * @param weights [D][D], symmetric, at least 0; the diagonal has no meaning
 * @returns the parent of each variable, −1 for variable 0
 */
function spanningTree(weights: readonly (readonly number[])[]): number[] {
  // BEGIN SOLUTION circuit.spanningTree
  const parents = weights.map(() => -1);
  const inside = [0];
  while (inside.length < weights.length) {
    let best = { weight: -Infinity, from: -1, to: -1 };
    for (const from of inside)
      for (const [to, weight] of weights[from]!.entries())
        if (!inside.includes(to) && weight > best.weight) best = { weight, from, to };
    parents[best.to] = best.from;
    inside.push(best.to);
  }
  return parents;
  // END SOLUTION
}

// %% id="check-spanning-tree"
await check('circuit.spanningTree', spanningTree);

// %% [markdown] id="tree-picture-text"
// The tree of the digits' 64 pixels. Nobody told it that they lie on a grid.

// %% id="tree-picture"
const at = (pixel: number) => ({ x: pixel % 8, y: Math.floor(pixel / 8) });
const edges = tree.flatMap((parent, d) => (parent < 0 ? [] : [[at(d), at(parent)] as const]));
figure(
  [
    {
      mode: 'lines',
      x: edges.flatMap(([a, b]) => [a.x, b.x, null]),
      y: edges.flatMap(([a, b]) => [a.y, b.y, null]),
      line: { width: 3 },
      hoverinfo: 'skip',
    },
    {
      mode: 'markers',
      x: tree.map((_, d) => at(d).x),
      y: tree.map((_, d) => at(d).y),
      marker: { size: tree.map((parent) => (parent < 0 ? 18 : 10)) },
      hoverinfo: 'skip',
    },
  ],
  {
    title: 'Chow–Liu tree of the pixels (the large dot is its root)',
    showlegend: false,
    xaxis: { visible: false, range: [-0.6, 7.6], constrain: 'domain' },
    yaxis: { visible: false, range: [7.6, -0.6], scaleanchor: 'x', constrain: 'domain' },
  },
  { height: 420, alt: 'The Chow–Liu tree of the 64 pixels, most of whose edges join neighbours' },
);

// %% [markdown] id="hidden-tree-text"
// A tree over the pixels themselves has a table of $17 \times 16$ free numbers for every edge, for a thousand training pictures. A **hidden Chow–Liu tree** puts a latent variable $z_d$ with $K$ states behind every pixel and the tree over the latents,
//
// $$p(\mathbf{x}) = \sum_{\mathbf{z}} \prod_d p(z_d \mid z_{\text{parent}(d)})\; p(x_d \mid z_d).$$
//
// The sum has $K^{64}$ terms, and the circuit takes it in $64$ small sums: the message from $d$ to its parent is a sum unit for each state of the parent, over products of the leaf of $x_d$ with the messages from $d$'s own children.

// %% id="network-size"
const weightsOf = (structure: Structure) =>
  circuit
    .create({ ...circuit.defaults, structure }, rng.fork('sizes'))
    .objectives[0]!.variables.reduce((sum, variable) => sum + variable.size, 0);
table(
  [4, 8, 16].map((K) => ({
    K,
    'hidden Chow–Liu tree': weightsOf(hiddenTree(tree, V, K)),
    'picture cut in halves': weightsOf(imageHalves(8, 8, V, K)),
  })),
  { caption: 'Weights, by the number K of units in a node', digits: 0 },
);

// %% [markdown] id="objective"
// ## 3 Objective
//
// The exact negative log-likelihood. All nodes of the same depth are evaluated together, in logarithms, on a whole batch: products are sums of logarithms, and sums are matrix products of exponentials whose largest has been taken out.
//
// ### Exercise: a layer of sums
//
// $K$ sum units over the same $J$ inputs: $\;\text{out}_{bk} = \ln \sum_j w_{kj}\, e^{a_{bj}}$. Weights come as logarithms, normalised over $j$. Take out the largest $a_{bj}$ of each *example*, so that one matrix product does all the rest.

// %% id="sum-layer"
/**
 * K weighted sums, in logarithms.
 * @param a ln of the inputs, [B, J] @param logW ln of the weights, [K, J] @returns [B, K]
 */
function sumLayer(a: tf.Tensor, logW: tf.Tensor): tf.Tensor {
  // BEGIN SOLUTION circuit.sumLayer
  const top = a.max(1, true); // [B, 1]
  const sums = a.sub(top).exp().matMul(logW.exp(), false, true); // [B, K]
  return sums.log().add(top); // [B, K]
  // END SOLUTION
}

// %% id="check-sum-layer"
await check('circuit.sumLayer', sumLayer);

// %% [markdown] id="optimiser"
// ## 4 Optimiser
//
// By gradient, as always; or by EM, as in chapter 3, since a circuit is a mixture of exponentially many products. The choice of every sum is a latent variable. How often does a picture use the weight $w_j$? Write $p$ as a polynomial of the weights: each of its terms is one way through the circuit, with $w_j$ in it at most once. So the posterior probability that the way goes through $w_j$ is
//
// $$\frac{w_j}{p(\mathbf{x})} \frac{\partial p(\mathbf{x})}{\partial w_j} = \frac{\partial \ln p(\mathbf{x})}{\partial \ln w_j}:$$
//
// automatic differentiation *is* the E-step. It equals a product of two things: how probable it is that the sum unit is asked at all, $f_n$ (its own derivative $\partial \ln p / \partial \ln(\text{unit})$), and which of its inputs it then takes, $w_j e^{a_{nj}} / \sum_i w_i e^{a_{ni}}$. The M-step counts.
//
// ### Exercise: the EM step of a sum
//
// One sum unit, $N$ examples. Its $\alpha$ imaginary examples are shared evenly by its $J$ inputs:
//
// $$w_j^{\text{new}} = \frac{\sum_n f_n r_{nj} + \alpha / J}{\sum_n f_n + \alpha}, \qquad r_{nj} = \frac{w_j e^{a_{nj}}}{\sum_i w_i e^{a_{ni}}}.$$

// %% id="em-sum"
/**
 * New weights of one sum unit.
 * @param a ln of its inputs, [N, J] @param logW ln of its weights, [J] @param asked f_n, 0 to 1: [N]
 * @param alpha imaginary examples, shared by the inputs @returns ln of the new weights, [J]
 */
function emSum(a: tf.Tensor, logW: tf.Tensor, asked: tf.Tensor, alpha: number): tf.Tensor {
  // BEGIN SOLUTION circuit.emSum
  const r = tf.softmax(a.add(logW)); // [N, J]
  const counts = r.mul(asked.expandDims(1)).sum(0); // [J]
  const smoothed = counts.add(alpha / logW.shape[0]!); // [J]
  return smoothed.div(smoothed.sum()).log(); // [J]
  // END SOLUTION
}

// %% id="check-em-sum"
await check('circuit.emSum', emSum);

// %% [markdown] id="training"
// ## 5 Training
//
// The circuit of the first picture was trained by EM: no learning rate, a few dozen passes. Leaves get imaginary examples as well, spread as the pixel's grey levels are over all training pictures, so that what a state has not seen falls back on the histogram.

// %% id="train-em"
lossCurve(firstRun, { title: 'Hidden Chow–Liu tree, K = 8, by EM' });

// %% id="train-gradient"
const byGradient = circuit.create(small, rng.fork('gradient'));
const gradientRun = await fit(byGradient, digits, {
  epochs: budgeted(40),
  batchSize: small.batchSize,
  optimiser: adam(small.learningRate),
  patience: 5,
  rng: rng.fork('fit'),
});
lossCurve(gradientRun, { title: 'The same circuit by gradient' });

// %% [markdown] id="train-reading"
// Two ways to about the same place. The gradient needs a learning rate, and has no imaginary examples: early stopping is all that keeps it from believing the training set.

// %% [markdown] id="hyperparameters"
// ## 6 Hyperparameters and the likelihood of new inputs
//
// The number of states, how much the leaves are smoothed, and the structure. Each setting is trained once, and judged on the validation set. The table tells what the training set would have said, too.

// %% id="sweep"
interface Setting {
  readonly structure: 'tree' | 'halves';
  readonly K: number;
  readonly leafCount: number;
}
const settings: readonly Setting[] = [
  { structure: 'tree', K: 4, leafCount: 5 },
  { structure: 'tree', K: 8, leafCount: 1 },
  { structure: 'tree', K: 8, leafCount: 5 },
  { structure: 'tree', K: 8, leafCount: 20 },
  { structure: 'tree', K: 16, leafCount: 5 },
  { structure: 'halves', K: 8, leafCount: 5 },
];

async function train({ structure, K, leafCount }: Setting, here: Rng) {
  const shape = structure === 'tree' ? hiddenTree(tree, V, K) : imageHalves(8, 8, V, K);
  const model = circuit.create({ ...circuit.defaults, structure: shape, leafCount }, here.fork('weights'));
  await em(model, digits, { iterations: budgeted(60), patience: 8, rng: here.fork('em'), quiet: true });
  return model;
}
const results = await sweep(settings, train, digits.validation, rng.fork('sweep'));
table(
  results.map(({ setting, model, validation }) => ({
    ...setting,
    train: evaluate(model, digits.train, rng).nats,
    validation: validation.nats,
    standardError: validation.standardError,
  })),
  { caption: 'Circuits by EM, best on the validation set first: nats per image', digits: 2 },
);

// %% [markdown] id="ladder-text"
// ### The ladder
//
// The best setting is trained from two more seeds, and only now the test set is looked at. *Chow–Liu tree* is the tree over the pixels themselves, with smoothed tables, and takes no training at all; most of the neural networks to come will find it hard to beat.

// %% id="ladder"
const winner = results[0]!;
const seeds = [winner.model];
for (const seed of [2, 3]) seeds.push(await train(winner.setting, rng.fork(`seed ${seed}`)));
const models = [
  ...(await baselines(digits, rng.fork('baselines'))),
  { name: 'circuit, by gradient', model: byGradient },
  { name: `circuit, ${winner.setting.structure}, K = ${winner.setting.K}, by EM`, model: seeds },
];
const rungs = rungsOf(models, digits.test, rng.fork('test'));
ladder(rungs);
table(
  rungs.map((rung) => ({ ...rung })),
  { caption: 'Test set: nats per image (the last one: mean and spread of three seeds)', digits: 1 },
);

// %% [markdown] id="new-inputs-text"
// **Any question about a new input.** A likelihood splits exactly, $\ln p(\mathbf{x}) = \ln p(\text{upper}) + \ln p(\text{lower} \mid \text{upper})$, and each part is one pass. What the upper half tells about the lower one is the difference between $-\ln p(\text{lower})$ and $-\ln p(\text{lower} \mid \text{upper})$. Its mean over digits is their mutual information, as this model sees it. Below 0, the halves contradict each other: each is likely alone, and together they are not.

// %% id="new-inputs"
const best = winner.model;
const meanOf = (x: tf.Tensor) => x.mean().neg().dataSync()[0]!;
const upsideDown = tf.tidy(() => digits.test.x.reverse(1)); // the picture turned by 180 degrees
const strangers = tf.tidy(() => {
  const [top, bottom] = [digits.test.x.slice([0, 0], [-1, 32]), digits.test.x.slice([0, 32], [-1, 32])];
  return tf.concat([top, bottom.reverse(0)], 1); // the lower half of another digit
});
table(
  [
    { input: 'test digits', x: digits.test.x },
    { input: 'halves of two digits', x: strangers },
    { input: 'upside down', x: upsideDown },
  ].map(({ input, x }) =>
    tf.tidy(() => {
      const mask = tf.tile(tf.range(0, 64).less(32).toFloat().expandDims(0), [x.shape[0]!, 1]);
      const [all, up, low] = [tf.onesLike(mask), mask, tf.sub(1, mask)].map((seen) =>
        meanOf(best.logMarginal(x, seen)),
      );
      return {
        input,
        whole: all!,
        upper: up!,
        lower: low!,
        'lower given upper': all! - up!,
        'what one half tells of the other': up! + low! - all!,
      };
    }),
  ),
  { caption: 'Mean −ln p, in nats, of whole pictures and of their halves', digits: 1 },
);

// %% [markdown] id="sampling"
// ## 7 Sampling
//
// From the root down: a product asks all its children, a sum chooses one of its inputs with the probabilities $w_j$, and the leaves that are reached draw their value. Given evidence, the circuit is first evaluated upwards, and every sum then chooses by $w_j$ *and* by how well each input explains the evidence.
//
// The **most probable explanation** replaces the sums by maxima, and draws by choosing the largest. It gives the single most likely way through the circuit, and looks cleaner, and more alike from picture to picture, than any sample.

// %% id="samples"
imageGrid(rowsOfPixels(best.sample({ count: 20, rng: rng.fork('samples') })), {
  height: 8,
  width: 8,
  columns: 10,
  levels: V,
  title: 'Samples',
});
imageGrid([half, best.complete(shown, upper, rng.fork('again')), best.mpe(shown, upper)].flatMap(rowsOfPixels), {
  height: 8,
  width: 8,
  columns: 10,
  levels: V,
  title: 'What is shown; a draw of the rest; the most probable explanation',
});

// %% [markdown] id="card-text"
// ## The card
//
// The lecture's overview, filled in for this family.

// %% id="card"
card(circuit.card);

// %% [markdown] id="bug"
// ## The bug to find
//
// To draw from a conditional distribution, every sum has to choose among its inputs with the *posterior* probabilities $p(j \mid \text{evidence}) \propto w_j\, e^{a_j}$, where $a_j$ is the log-likelihood of the evidence below input $j$. A published library computed them as below, up to notation: its issue tracker lists both mistakes. Nothing crashes: in a sampler that normalises what it gets, the signs cancel, and the pictures look like pictures.
//
// ### Exercise: repair it
//
// Two things are wrong with it. Which evidence hides both? Return probabilities that sum to 1, also when the evidence is a thousand nats unlikely, when it is impossible under all inputs but one, and when the input that explains it best has the weight 0.
//
// The picture after it fills in lower halves with whatever your function says now, in a circuit with a single sum: a mixture of ten tables.

// %% id="choose"
/**
 * p(j | evidence): with which probabilities a sum unit chooses its inputs.
 * @param weights [J], sum to 1 @param a ln p(evidence | input j): [B, J] @returns [B, J], rows sum to 1
 */
function choiceProbabilities(weights: tf.Tensor, a: tf.Tensor): tf.Tensor {
  // BEGIN SOLUTION circuit.choose
  // The code that was given multiplies a probability by a logarithm, and leaves the result unnormalised. Once a sampler
  // has normalised it, the input that explains the evidence worst is chosen most often; only where all inputs explain it
  // equally well does nothing show.
  const joint = a.add(weights.log()); // ln of prior times likelihood: [B, J]
  const shares = joint.sub(joint.max(1, true)).exp(); // [B, J], the largest is 1
  return shares.div(shares.sum(1, true));
  // END SOLUTION
  // BEGIN GIVEN
  // return weights.mul(a); // [B, J]
  // END GIVEN
}

// %% id="choose-picture"
const ten: Structure = {
  variables: 64,
  values: V,
  nodes: [
    ...Array.from({ length: 64 }, (_, variable) => ({ kind: 'leaf', variable, units: 10 }) as const),
    { kind: 'product', children: Array.from({ length: 64 }, (_, d) => d) },
    { kind: 'sum', children: [64], units: 1 },
  ],
};
const mixtureOfTen = circuit.create({ ...circuit.defaults, structure: ten }, rng.fork('ten'));
await em(mixtureOfTen, digits, { iterations: budgeted(30), patience: 5, rng: rng.fork('ten run'), quiet: true });
const filled = tf.tidy(() => {
  const tables = mixtureOfTen.tables();
  const logTheta = tf.tensor3d(tables.slice(0, 64).map((rows) => rows.map((row) => row.map(Math.log)))); // [64, 10, V]
  const picked = tf.oneHot(shown.toInt(), V).toFloat(); // [10, 64, V]
  const perPixel = picked.transpose([1, 0, 2]).matMul(logTheta, false, true).transpose([1, 0, 2]); // [10, 64, 10]
  const evidence = perPixel.mul(upper.expandDims(2)).sum(1); // [10, J]
  const p = choiceProbabilities(tf.tensor1d([...tables[65]![0]!]), evidence); // [10, J]
  const mean = logTheta.exp().mul(tf.range(0, V)).sum(2); // [64, 10]: the mean grey level of each table
  const weighted = p.div(p.sum(1, true)).matMul(mean, false, true); // [10, 64]: the mean of the choices
  return tf.where(upper.cast('bool'), shown, weighted.clipByValue(0, V - 1));
});
imageGrid([half, filled, shown].flatMap(rowsOfPixels), {
  height: 8,
  width: 8,
  columns: 10,
  levels: V,
  title: 'What is shown; the mean of the rest by your probabilities; the digit',
});

// %% id="check-choose"
await check('circuit.choose', choiceProbabilities);

// %% [markdown] id="costs"
// ## What it costs
//
// Measured on this machine, now, for the hidden Chow–Liu tree: one iteration of EM over the 1,000 training pictures, the marginal of one half of a picture, and one picture drawn. As the card says, the first two grow with the weights, and the third only with the number of nodes times $K$; small sizes show the fixed cost of a call. A marginal is one pass up, as a likelihood is; it runs step by step here, where training and sampling are compiled.

// %% id="measure-costs"
const costs = [];
const manyMasks = tf.tidy(() => tf.tile(upper.slice([0, 0], [1, 64]), [447, 1]));
for (const K of [4, 8, 16, 32]) {
  const structure = hiddenTree(tree, V, K);
  const model = circuit.create({ ...circuit.defaults, structure }, rng.fork('cost'));
  const once = { iterations: 1, tolerance: -1, rng: rng.fork('cost run'), quiet: true };
  await em(model, { train: digits.train }, once); // the first call of anything is slower
  const milliseconds = (count: number, body: () => tf.Tensor) => {
    body().dispose();
    const started = performance.now();
    body().dispose();
    return (performance.now() - started) / count;
  };
  const { milliseconds: iterations } = await em(model, { train: digits.train }, { ...once, iterations: 15 });
  costs.push({
    K,
    'EM, ms per iteration': iterations / 15,
    'marginal, ms per image': milliseconds(447, () => model.logMarginal(digits.test.x, manyMasks)),
    'sampling, ms per image': milliseconds(500, () => model.sample({ count: 500, rng: rng.fork('cost samples') })),
    weights: weightsOf(structure),
  });
}
table(costs, { caption: 'Cost of a hidden Chow–Liu tree on the digits', digits: 2 });

// %% [markdown] id="failures"
// ## Where it fails
//
// On data whose entropy $H$ is known, the divergence is a number: $\mathrm{KL}[p \,\|\, q] = \text{NLL} - H$. Three worlds, 4,000 training examples each, and circuits over their own Chow–Liu trees:
//
// * **a Markov chain** of three symbols: a tree says all there is to say, given three states to say it with;
// * **the Ising model** on $4 \times 4$ pixels: its graph is full of loops, and a tree, which has none, keeps 15 of its 24 edges. More states buy some of that back, at a price that grows as $K^2$;
// * **even parity**: eight coins that show an even number of heads. Every pair, indeed every seven of them, is independent: mutual information is 0 everywhere, so the tree is drawn by noise. A circuit with two states a latent could represent it exactly (a state that remembers the parity so far). EM sees nothing that pulls it there.

// %% id="failure-known-entropy"
const evenParity = Array.from({ length: 2 ** 8 }, (_, i) => (i.toString(2).replaceAll('0', '').length % 2 === 0 ? 0 : -Infinity)); // prettier-ignore
const worlds = [
  markovSource({
    length: 12,
    start: [0.4, 0.3, 0.3],
    transition: [
      [0.8, 0.2, 0],
      [0, 0.7, 0.3],
      [0.5, 0, 0.5],
    ],
  }),
  isingSource({ coupling: 0.5 }),
  tableSource('even parity', [8], 2, evenParity),
];
const known = [];
for (const world of worlds) {
  const here = rng.fork(world.name);
  const train = { x: world.sample({ count: 4000, rng: here.fork('train') }) };
  const test = { x: world.sample({ count: 4000, rng: here.fork('test') }) };
  const values = world.support.kind === 'discrete' ? world.support.values.length : 0;
  const own = evaluate(world, test, here).nats; // the source's own score on the same examples: H up to sampling error
  const divergences: [string, number][] = [];
  for (const K of [2, 4, 8]) {
    const structure = hiddenTree(chowLiuTree(train.x, values), values, K);
    const config = { ...circuit.defaults, structure, eventShape: world.eventShape, leafCount: 0.1, sumCount: 0.1 };
    const model = circuit.create(config, here.fork(`K = ${K}`));
    await em(model, { train }, { iterations: budgeted(60), tolerance: 1e-5, rng: here, quiet: true });
    divergences.push([`KL, K = ${K}`, evaluate(model, test, here).nats - own]);
  }
  const histogram = evaluate(histogramBaseline(train, values), test, here).nats - own;
  known.push({
    world: world.name,
    'H, nats': world.entropy,
    'KL, histogram': histogram,
    ...Object.fromEntries(divergences),
  });
}
table(known, { caption: 'Divergence from sources of known entropy, in nats', digits: 3 });

// %% [markdown] id="failures-more"
// **The structure is a commitment.** A variable's neighbours in the tree are chosen before training, by pairs. Deep networks learn their features; circuits of this kind choose among fixed ones.
//
// **Some questions stay hard.** Marginals are easy because sums move down through sums. Maxima do not: the exact $\arg\max_{\mathbf{x}} p(\mathbf{x})$ is NP-hard unless the circuit is also *deterministic* (at most one input of a sum is not 0 for any $\mathbf{x}$).
//
// ### Sources
//
// C. Chow, C. Liu, *Approximating discrete probability distributions with dependence trees*, IEEE Transactions on Information Theory 14 (1968). A. Darwiche, *A differential approach to inference in Bayesian networks*, JACM 50 (2003). H. Poon, P. Domingos, *Sum-product networks*, UAI 2011. R. Peharz et al., *Einsum networks*, ICML 2020. Y. Choi, A. Vergari, G. Van den Broeck, *Probabilistic circuits: a unifying framework* (2020). A. Liu, G. Van den Broeck, *Tractable regularization of probabilistic circuits*, NeurIPS 2021. J. Tomczak, *Deep Generative Modeling* (2024), chapter 2. The bug is in SPFlow (issue 174 of github.com/SPFlow/SPFlow), the lost variables in its issue 74.
