// %% [markdown] id="title"
// # 4 Probabilistic circuits
//
// A mixture adds up whole pictures. It cannot say "this loop as in one style, that stroke as in another": every combination needs a component of its own. A **probabilistic circuit** mixes at every level. It is a network of two kinds of units,
//
// $$\text{product:}\;\; f(\mathbf{x}) = \prod_c f_c(\mathbf{x}_c), \qquad \text{sum:}\;\; f(\mathbf{x}) = \sum_j w_j\, f_j(\mathbf{x}) \;\;\text{with}\;\; w_j \ge 0,\; \sum_j w_j = 1,$$
//
// on top of leaves, which are tables of probabilities of a single variable. Two rules of construction make it a probability distribution, and more: **any marginal exactly, in one pass, and any conditional in two** (a conditional is a ratio of two marginals). That is what the field calls **tractable**. A model that writes a picture pixel by pixel can go on from where it is; a circuit completes any pixels from any others, without having been trained for that question.
//
// By the end of this chapter you have checked and evaluated circuits, learnt their structure from data, trained them without a learning rate, and found a mistake that a published library made. Everything printed below was computed by running this file (`npm run solutions -- 04`).

// %% tags=["setup"] id="setup"
import * as tf from '@tensorflow/tfjs';
import { check, NotWritten, yours } from 'grader';
import {
  adam,
  baselines,
  budgeted,
  card,
  chowLiuBaseline,
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
  maximumSpanningTree,
  mutualInformation as informationOfPairs,
  rungsOf,
  sweep,
  table,
  tableSource,
  type Circuit,
  type GenerativeModel,
  type Rng,
  type Source,
  type Structure,
  type Tree,
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
const first = circuit.create(small, rng.fork('weights'));
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
// Then every unit is a normalised distribution over its scope, by induction: a leaf is; a product of distributions over different variables is; and a sum of distributions over the same variables, with weights that sum to 1, is. And sums over a variable move down to its leaves: $\sum_{x_d} \prod_c f_c = \bigl(\sum_{x_d} f_{c(d)}\bigr) \prod_{c \ne c(d)} f_c$, where $c(d)$ is the only child that knows $x_d$, and $\sum_{x_d} \sum_j w_j f_j = \sum_j w_j \sum_{x_d} f_j$. At the leaf, $\sum_{x_d} p(x_d) = 1$. So **to marginalise a variable, that is, to sum it out, set its leaves to 1** and evaluate as before.
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

// %% [markdown] id="own-queries-text"
// **Yours, on a trained circuit.** The circuit of the first picture, written out with one node for every unit, is a list that your functions take. Your `violation` looks at it as it is, and with one leaf moved to another variable. Your `logCircuit` says how probable the upper halves of three digits are, and the whole digits; so it knows how probable each lower half is *given* its upper one. The library answers the same questions for the whole batch at once.

// %% id="own-queries"
/** One node for every unit, as your functions take them. */
function unitsOf({ structure, tables }: Circuit): Node[] {
  const units: Node[] = [];
  const places: number[][] = []; // of the units of each node
  for (const [i, node] of structure.nodes.entries()) {
    const below = node.kind === 'leaf' ? [] : node.children.map((child) => places[child]!);
    const count = node.kind === 'product' ? below[0]!.length : node.units;
    places.push(
      Array.from({ length: count }, (_, k) => {
        if (node.kind === 'leaf') return units.push({ kind: 'leaf', variable: node.variable, p: tables[i]![k]! }) - 1;
        if (node.kind === 'product')
          return units.push({ kind: 'product', children: below.map((places) => places[k]!) }) - 1;
        return units.push({ kind: 'sum', children: below.flat(), weights: tables[i]![k]! }) - 1;
      }),
    );
  }
  return units;
}
const unitsOfFirst = unitsOf({ structure: first.structure, tables: first.tables() });
const spoilt = unitsOfFirst.map((unit, i) => (i === 0 && unit.kind === 'leaf' ? { ...unit, variable: 5 } : unit));
const firstFault = yours(violation, (nodes: readonly Node[]) => (nodes === unitsOfFirst ? -1 : 0));
table(
  [
    { circuit: `as trained: ${unitsOfFirst.length} nodes`, 'first violation': firstFault(unitsOfFirst) },
    { circuit: 'the first leaf moved to another pixel', 'first violation': firstFault(spoilt) },
  ],
  { caption: `Checked by violation, ${firstFault.by()}`, digits: 0 },
);

const rowsOf = (x: tf.Tensor) => x.arraySync() as number[][];
const upperOf = (row: readonly number[]) => row.map((v, d) => (d < 32 ? v : null));
const inBatch = tf.tidy(() => [first.logMarginal(shown, upper), first.logMarginal(shown, tf.onesLike(upper))])
  .map((t) => t.arraySync() as number[]); // prettier-ignore
const ask = yours(logCircuit, (_, x: readonly (number | null)[]) => {
  const n = rowsOf(shown).findIndex((row) => row.every((v, d) => x[d] === null || x[d] === v));
  return inBatch[x.includes(null) ? 0 : 1]![n]!;
});
table(
  rowsOf(shown)
    .slice(0, 3)
    .map((row, n) => {
      const [part, whole] = [ask(unitsOfFirst, upperOf(row)), ask(unitsOfFirst, row)];
      return {
        digit: n,
        'ln p(upper)': part,
        'ln p(whole)': whole,
        'ln p(lower | upper)': whole - part,
        'the library': inBatch[1]![n]! - inBatch[0]![n]!,
      };
    }),
  { caption: `Asked of logCircuit, ${ask.by()}`, digits: 3 },
);

// %% [markdown] id="marginals-text"
// A small circuit to look at, the same two clusters twice: in the first, A, both variables tend to be 0; in the second, B, they tend to be 1. The picture shows it unit by unit; the table has every one of its marginals. The last column is the marginal as a sum of the rows above it: the circuit got it in one pass.

// %% id="marginals"
/** Units as dots, the root on top; the weight of a sum's input stands beside its edge. */
function drawCircuit(units: readonly Node[], title: string): void {
  const height = units.map(() => 0);
  units.forEach((unit, i) => {
    if (unit.kind !== 'leaf') height[i] = 1 + Math.max(...unit.children.map((child) => height[child]!));
  });
  const inRow = (i: number) => units.map((_, j) => j).filter((j) => height[j] === height[i]);
  const place = units.map((_, i) => ({ x: inRow(i).indexOf(i) - (inRow(i).length - 1) / 2, y: height[i]! }));
  const edges = units.flatMap((unit, i) =>
    unit.kind === 'leaf'
      ? []
      : unit.children.map((child, j) => ({ from: place[i]!, to: place[child]!, weight: unit.kind === 'sum' ? unit.weights[j] : undefined })),
  ); // prettier-ignore
  const sign = { leaf: '', product: '×', sum: '+' } as const;
  const label = (unit: Node) =>
    unit.kind === 'leaf'
      ? `x<sub>${unit.variable}</sub>: ${unit.p.map((p) => p.toFixed(1)).join(', ')}`
      : sign[unit.kind];
  const isLeaf = units.map(({ kind }) => kind === 'leaf');
  figure(
    [
      {
        mode: 'lines',
        x: edges.flatMap(({ from, to }) => [from.x, to.x, null]),
        y: edges.flatMap(({ from, to }) => [from.y, to.y, null]),
        line: { width: 1.5, color: '#808080' },
        hoverinfo: 'skip',
      },
      {
        mode: 'markers+text',
        x: place.map(({ x }) => x),
        y: place.map(({ y }) => y),
        text: units.map(label),
        textposition: isLeaf.map((leaf) => (leaf ? 'bottom center' : 'middle center')),
        textfont: { size: isLeaf.map((leaf) => (leaf ? 12 : 18)), color: isLeaf.map((leaf) => (leaf ? '#808080' : '#ffffff')) },
        marker: { size: isLeaf.map((leaf) => (leaf ? 12 : 28)), opacity: 1, color: units.map(({ kind }) => ({ leaf: '#159673', product: '#d9701a', sum: '#2f7fd1' })[kind]) },
        hoverinfo: 'skip',
      }, // prettier-ignore
    ],
    {
      title,
      showlegend: false,
      xaxis: { visible: false, range: [-2.2, 2.2] },
      yaxis: { visible: false, range: [-0.5, Math.max(...height) + 0.4] },
      annotations: edges
        .filter(({ weight }) => weight !== undefined)
        .map(({ from, to, weight }) => ({ x: (from.x + to.x) / 2, y: (from.y + to.y) / 2, text: weight!.toFixed(1), xshift: to.x < from.x ? -20 : 20 })),
    }, // prettier-ignore
    {
      height: 300,
      alt: 'A sum unit over two products, each over a leaf of the first and a leaf of the second variable',
    },
  );
}
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
drawCircuit(unitsOf(twoClusters), 'Two clusters of two variables: leaves below, the root on top');

const pairs = [0, 1].flatMap((a) => [0, 1].map((b) => [a, b]));
const onePass = yours(logCircuit, (_, x: readonly (number | null)[]) => evaluateCircuit(twoClusters, x));
const probability = (x: readonly (number | null)[]) => Math.exp(onePass(unitsOf(twoClusters), x));
table(
  [...pairs, [0, null], [1, null], [null, 0], [null, 1], [null, null]].map((x) => ({
    x0: x[0] ?? 'any',
    x1: x[1] ?? 'any',
    'one pass': probability(x),
    'sum over what is missing': pairs
      .filter((pair) => pair.every((v, d) => x[d] === null || x[d] === v))
      .reduce((sum, pair) => sum + probability(pair), 0),
  })),
  { caption: `Every marginal of the small circuit: ${onePass.by()}`, digits: 4 },
);

// %% [markdown] id="network"
// ## 2 Network
//
// The network *is* the structure: who is summed and who is multiplied. It can be guessed (cut the picture in halves, and again: `imageHalves`), drawn at random, or learnt: it is the circuit's **inductive bias**, what it takes for granted before it sees an example. The classic way to learn one is from 1968.
//
// **Chow–Liu trees.** Of all distributions in which every variable depends on one other, $p(\mathbf{x}) = \prod_d p(x_d \mid x_{\text{pa}(d)})$ (tree-structured **Bayesian networks**; $\text{pa}(d)$ is the parent of $d$, and the root has none), which one is closest to the data? For a given tree the best tables are the frequencies $\hat p$ of the training set, as in chapter 3's M-step. With these,
//
// $$\frac1N \sum_n \ln p(\mathbf{x}_n) = \sum_d \sum_{u,v} \hat p(x_d = u, x_{\text{pa}(d)} = v) \ln \frac{\hat p(u, v)}{\hat p(v)} = \sum_d \sum_{u,v} \hat p(u,v) \left[ \ln \frac{\hat p(u, v)}{\hat p(u)\, \hat p(v)} + \ln \hat p(u) \right] = \sum_d I(x_d; x_{\text{pa}(d)}) - \sum_d H(x_d).$$
//
// The first step collects equal pairs of values, the second multiplies and divides by $\hat p(u)$. The entropies are the same for every tree. What a tree earns is the sum of the **mutual informations** along its edges,
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
// The tree of the digits' 64 pixels, grown by *your* two functions from the training set's 2,016 tables of counts. A line is as wide as the mutual information of its ends; dotted ones have less than 0.01 nats and hang where Prim found them; an edge that is no step to a neighbour is bent, so as not to run over the pixels between.

// %% id="tree-picture"
/** How often pixels i and j have the values (u, v) in the training set: [V][V] */
const trainRows = rowsOf(digits.train.x);
function countsOf(i: number, j: number): number[][] {
  const counts = Array.from({ length: V }, () => new Array<number>(V).fill(0));
  for (const row of trainRows) counts[row[i]!]![row[j]!]! += 1;
  return counts;
}
const informationOf = yours(
  (): number[][] => {
    const all = Array.from({ length: 64 }, () => new Array<number>(64).fill(0));
    for (let i = 0; i < 64; i++)
      for (let j = 0; j < i; j++) all[i]![j] = all[j]![i] = mutualInformation(countsOf(i, j));
    return all;
  },
  () => informationOfPairs(digits.train.x, V),
);
const grow = yours(spanningTree, (weights: readonly (readonly number[])[]) => [...maximumSpanningTree(weights)]);
const pixelInformation = informationOf();
const ownTree: Tree = grow(pixelInformation);

const at = (pixel: number) => ({ x: pixel % 8, y: Math.floor(pixel / 8) });
const treeEdges = (parents: Tree) =>
  parents
    .flatMap((parent, d) => (parent < 0 ? [] : [{ d, parent, nats: pixelInformation[d]![parent]! }]))
    .sort((a, b) => b.nats - a.nats);
/** A straight line between neighbours; else the arc that keeps farthest from the pixels on its way. */
function wayOf({ d, parent }: { d: number; parent: number }) {
  const [a, b] = [at(d), at(parent)];
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const length = Math.hypot(dx, dy);
  const arc = (bend: number) =>
    Array.from({ length: 21 }, (_, i) => {
      const t = i / 20;
      const aside = (4 * bend * t * (1 - t)) / length;
      return { x: a.x + t * dx - aside * dy, y: a.y + t * dy + aside * dx };
    });
  if (length < 1.5) return arc(0);
  const others = ownTree.map((_, pixel) => at(pixel)).filter(({ x, y }) => (x !== a.x || y !== a.y) && (x !== b.x || y !== b.y)); // prettier-ignore
  const room = (way: { x: number; y: number }[]) =>
    Math.min(...way.flatMap((p) => others.map((q) => Math.hypot(p.x - q.x, p.y - q.y))));
  return [0.5, -0.5, 0.25, -0.25, 0.8, -0.8].map(arc).reduce((x, y) => (room(y) > room(x) ? y : x));
}
figure(
  [
    ...treeEdges(ownTree).map((edge) => ({
      mode: 'lines',
      x: wayOf(edge).map(({ x }) => x),
      y: wayOf(edge).map(({ y }) => y),
      line: { color: '#2f7fd1', width: 0.8 + 9 * edge.nats, dash: edge.nats < 0.01 ? 'dot' : 'solid' },
      hoverinfo: 'skip',
    })),
    {
      mode: 'markers',
      x: ownTree.map((_, d) => at(d).x),
      y: ownTree.map((_, d) => at(d).y),
      marker: { size: ownTree.map((parent) => (parent < 0 ? 18 : 9)), color: '#d9701a', opacity: 1 },
      hoverinfo: 'skip',
    },
  ],
  {
    title: `Chow–Liu tree of the pixels, ${grow.by()} (the large dot is its root)`,
    showlegend: false,
    xaxis: { visible: false, range: [-0.8, 7.8], constrain: 'domain' },
    yaxis: { visible: false, range: [7.8, -0.8], scaleanchor: 'x', constrain: 'domain' },
  },
  { height: 460, alt: 'The Chow–Liu tree of the 64 pixels: most edges join neighbours, the two widest join the top row to the bottom row' },
); // prettier-ignore
const name = (pixel: number) => `row ${at(pixel).y}, column ${at(pixel).x}`;
const natsOf = (parents: Tree) => treeEdges(parents).reduce((sum, { nats }) => sum + nats, 0);
table(
  treeEdges(ownTree)
    .slice(0, 5)
    .map(({ d, parent, nats }) => ({ 'one end': name(d), 'other end': name(parent), nats })),
  {
    caption: `The heaviest edges; all 63 together have ${natsOf(ownTree).toFixed(3)} nats (the library's tree: ${natsOf(tree).toFixed(3)})`,
    digits: 2,
  },
);

// %% [markdown] id="tree-surprise-text"
// Nobody told it that pixels lie on a grid, and most of its edges are steps to a neighbour. But the two heaviest are not: they join the top row to the bottom row. Is that the class of the digit, which a top and a bottom pixel both tell? The next cell takes each class by itself, and correlates the two rows column by column.

// %% id="tree-surprise"
const labels = digits.train.y!.dataSync();
/** Correlation of two pixels about the means of their class: what they share beside the class. */
function correlationWithinClasses(i: number, j: number): number {
  const classes = Array.from({ length: 10 }, (_, c) => trainRows.filter((_, n) => labels[n] === c));
  const [xx, yy, xy] = classes
    .flatMap((own) => {
      const [a, b] = [i, j].map((d) => own.reduce((sum, row) => sum + row[d]!, 0) / own.length);
      return own.map((row) => [row[i]! - a!, row[j]! - b!] as const);
    })
    .reduce(([xx, yy, xy], [x, y]) => [xx + x * x, yy + y * y, xy + x * y], [0, 0, 0]) as [number, number, number];
  return xy / Math.sqrt(xx * yy);
}
table(
  [1, 2, 3, 4, 5, 6].map((column) => ({
    column,
    'top and bottom row, within classes': correlationWithinClasses(column, 56 + column),
    'rows 0 and 1, within classes': correlationWithinClasses(column, 8 + column),
  })),
  { caption: 'Correlation of two pixels of the same column', digits: 2 },
);

// %% [markdown] id="tree-surprise-reading"
// It is not the class. In the left half of these scans the top and the bottom row nearly repeat each other, in the right half they do not: a trace of how the data were prepared, which no idea of digits would have told us. A structure that is guessed (neighbours only) misses it; one that is learnt finds what is there, artefacts first.

// %% [markdown] id="hidden-tree-text"
// A tree over the pixels themselves has a table of $17 \times 16$ free numbers for every edge, for a thousand training pictures. A **hidden Chow–Liu tree** puts a latent variable $z_d$ with $K$ states behind every pixel and the tree over the latents,
//
// $$p(\mathbf{x}) = \sum_{\mathbf{z}} \prod_d p(z_d \mid z_{\text{parent}(d)})\; p(x_d \mid z_d).$$
//
// Where the tree is a chain this is a **hidden Markov model**. The sum has $K^{64}$ terms, and the circuit takes it in $64$ small sums: the message from $d$ to its parent is a sum unit for each state of the parent, over products of the leaf of $x_d$ with the messages from $d$'s own children. Sending such messages from the leaves to the root is **belief propagation** (also: message passing; in a chain, the forward algorithm). In the picture, a corner of our tree: what is inferred hangs together, what is seen hangs below.

// %% id="hidden-tree-picture"
const corner = [10, 9, 17, 18, 26, 25].map((pixel) => ({ pixel, ...at(pixel) }));
const inCorner = corner.flatMap(({ pixel }) => {
  const parent = tree[pixel]!;
  return corner.some((other) => other.pixel === parent) ? [[pixel, parent] as const] : [];
});
const spot = (pixel: number) => ({ x: 2.2 * at(pixel).x, y: -1.6 * at(pixel).y });
figure(
  [
    {
      mode: 'lines',
      x: inCorner.flatMap(([a, b]) => [spot(a).x, spot(b).x, null]),
      y: inCorner.flatMap(([a, b]) => [spot(a).y, spot(b).y, null]),
      line: { width: 2.5, color: '#2f7fd1' },
    },
    {
      mode: 'lines',
      x: corner.flatMap(({ pixel }) => [spot(pixel).x, spot(pixel).x + 0.55, null]),
      y: corner.flatMap(({ pixel }) => [spot(pixel).y, spot(pixel).y - 0.6, null]),
      line: { width: 1.5, color: '#808080' },
    },
    ...[
      { shift: 0, letter: 'z', color: '#2f7fd1', text: '#ffffff' },
      { shift: 1, letter: 'x', color: '#a0a4ab', text: '#000000' },
    ].map(({ shift, letter, color, text }) => ({
      mode: 'markers+text',
      x: corner.map(({ pixel }) => spot(pixel).x + 0.55 * shift),
      y: corner.map(({ pixel }) => spot(pixel).y - 0.6 * shift),
      text: corner.map(({ pixel }) => `${letter}<sub>${pixel}</sub>`),
      textfont: { color: text, size: 13 },
      marker: { size: 34, color },
      hoverinfo: 'skip',
    })),
  ],
  {
    showlegend: false,
    xaxis: { visible: false, constrain: 'domain' },
    yaxis: { visible: false, scaleanchor: 'x', constrain: 'domain' },
  },
  { height: 320, alt: 'Latent variables joined as in the tree, a pixel hanging from each' },
);

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
//
// Did the first exercise not warn of just that: an input of weight 0 must not drown the others? There a weight could be 0. Here it cannot: pseudo-counts (section 4) keep every weight above $\alpha / J$ divided by all examples, so the largest input always contributes something that a float can hold, and the terms that underflow lie $e^{-87}$ below it. The library's layers do it this way, and are exact for such weights; at $w = e^{-200}$ they would not be, and `evaluateCircuit` would.

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
// automatic differentiation *is* the E-step. It equals a product of two things: how probable it is that the sum unit is asked at all, $f_n$ (its own derivative $\partial \ln p / \partial \ln(\text{unit})$), and which of its inputs it then takes, $w_j e^{a_{nj}} / \sum_i w_i e^{a_{ni}}$. In the words of Bayesian networks: the belief about a variable and its parent, from messages up and messages down. The M-step counts.
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
// The circuit of the first picture was trained by EM: no learning rate, a few dozen passes. Leaves get **pseudo-counts** as well (imaginary examples: with them EM climbs to a MAP estimate, as in chapter 3), spread as the pixel's grey levels are over all training pictures, so that what a state has not seen falls back on the histogram. The gradient starts from the same random weights, and has no pseudo-counts.

// %% id="train-em"
lossCurve(firstRun, { title: 'Hidden Chow–Liu tree, K = 8, by EM' });

// %% id="train-gradient"
const byGradient = circuit.create(small, rng.fork('weights')); // where EM began, too
const gradientRun = await fit(byGradient, digits, {
  epochs: budgeted(40),
  batchSize: small.batchSize,
  optimiser: adam(small.learningRate),
  patience: 5,
  rng: rng.fork('fit'),
});
lossCurve(gradientRun, { title: 'The same circuit by gradient' });

// %% [markdown] id="train-reading"
// Two things differ besides the way: EM has pseudo-counts and 60 passes, the gradient neither. EM has 95.9 on the validation set at its last pass and the gradient 97.0 at its 39th of 40: neither has turned round yet, and EM asked for no learning rate.

// %% [markdown] id="hyperparameters"
// ## 6 Hyperparameters and the likelihood of new inputs
//
// The number of states, how much the leaves and the sums are smoothed, and the structure. Each setting is trained once, and judged on the validation set. The table tells what the training set would have said, too.

// %% id="sweep"
interface Setting {
  readonly structure: 'tree' | 'halves';
  readonly K: number;
  readonly leafCount: number;
  readonly sumCount: number;
}
const settings: readonly Setting[] = [
  { structure: 'tree', K: 8, leafCount: 1, sumCount: 1 },
  { structure: 'tree', K: 8, leafCount: 5, sumCount: 1 },
  { structure: 'tree', K: 8, leafCount: 20, sumCount: 1 },
  { structure: 'tree', K: 8, leafCount: 5, sumCount: 8 },
  { structure: 'halves', K: 8, leafCount: 5, sumCount: 8 },
  { structure: 'tree', K: 16, leafCount: 5, sumCount: 8 },
  { structure: 'tree', K: 32, leafCount: 5, sumCount: 8 },
];

async function train({ structure, K, ...counts }: Setting, here: Rng) {
  const shape = structure === 'tree' ? hiddenTree(tree, V, K) : imageHalves(8, 8, V, K);
  const model = circuit.create({ ...circuit.defaults, structure: shape, ...counts }, here.fork('weights'));
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
// The best setting is trained from two more seeds, and only now the test set is looked at. *Chow–Liu tree* is the tree over the pixels themselves, with smoothed tables, and takes no training at all; some of the networks to come will pass it, and some will not.
//
// **Two rungs are yours.** One is the Chow–Liu tree again, over the tree that your functions grew. The other is a sum unit above everything: the histogram of each class, the Chow–Liu tree, the circuit by gradient and the circuit by EM are four distributions over the same 64 variables, so a weighted sum of them is a circuit again. Your `emSum` learns its four weights, from the *validation* images (which none of the four was fitted to), and your `sumLayer` evaluates it.

// %% id="own-sum"
const winner = results[0]!;
const seeds = [winner.model];
for (const seed of [2, 3]) seeds.push(await train(winner.setting, rng.fork(`seed ${seed}`)));

const rivals = await baselines(digits, rng.fork('baselines'));
const experts: readonly (readonly [string, GenerativeModel])[] = [
  ['histogram of each class', rivals.find(({ name }) => name === 'histogram of each class')!.model as GenerativeModel],
  ['Chow–Liu tree', chowLiuBaseline(digits.train, V, { tree: ownTree })],
  ['circuit, gradient', byGradient],
  ['circuit, EM', winner.model],
];
/** ln p(x) of each expert: [B, J] */
const opinions = (x: tf.Tensor) =>
  tf.tidy(() =>
    tf.stack(
      experts.map(([, { likelihood }]) =>
        'logProb' in likelihood ? likelihood.logProb(x, rng) : tf.fill([x.shape[0]!], -Infinity),
      ),
      1,
    ),
  );
const mix = yours(sumLayer, (a: tf.Tensor, logW: tf.Tensor): tf.Tensor =>
  tf.logSumExp(a.expandDims(1).add(logW.expandDims(0)), 2),
);
const step = yours(emSum, (a: tf.Tensor, logW: tf.Tensor, asked: tf.Tensor, alpha: number): tf.Tensor => {
  const counts = tf
    .softmax(a.add(logW))
    .mul(asked.expandDims(1))
    .sum(0)
    .add(alpha / logW.size);
  return counts.div(counts.sum()).log();
});
const heard = opinions(digits.validation.x); // [350, 4]
const logShares = tf.variable(tf.fill([4], Math.log(1 / 4)));
for (let i = 0; i < 50; i++) tf.tidy(() => logShares.assign(step(heard, logShares, tf.ones([350]), 1)));
const shares = tf.tidy(() => logShares.exp().arraySync()) as number[];
table(
  experts.map(([expert], j) => ({ expert, weight: shares[j]! })),
  { caption: `Weights of the four, by 50 steps of emSum, ${step.by()}`, digits: 3 },
);
const together: GenerativeModel = {
  eventShape: [64],
  objectives: [],
  likelihood: {
    kind: 'exact',
    logProb: (x) => tf.tidy(() => mix(opinions(x), logShares.expandDims(0)).squeeze([1])),
  },
  sample() {
    throw new Error(
      'together: this sum is evaluated here; to draw from it, choose one of the four, then draw from that',
    );
  },
};

// %% id="ladder"
const models = [
  ...rivals,
  { name: `Chow–Liu tree, ${grow.by()}`, model: experts[1]![1] },
  { name: 'circuit, K = 8, gradient', model: byGradient },
  { name: `circuit, ${winner.setting.structure}, K = ${winner.setting.K}, EM`, model: seeds },
  { name: `a sum of four, ${mix.by()}`, model: together },
];
const rungs = rungsOf(models, digits.test, rng.fork('test'));
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
  { caption: 'Test set: nats per image (smaller is better)', digits: 1 },
);

// %% [markdown] id="ladder-reading"
// The circuit passes the tree over the pixels by 4.1 nats, with a spread over seeds of 0.1, and the gradient's circuit by 3.3. The sum of four is best by another 0.5: its weights say to whom it listens, mostly to the two circuits, a little to the histogram of each class, which knows the labels. A sum unit costs nothing and can only gain on the images that its weights were learnt from; that it gains on the test images as well is the news. Two kinds of error stand in the table: *over images*, how far a rung would move with other test images, and *paired*, that of its difference from the best, image by image, which is several times smaller.

// %% [markdown] id="new-inputs-text"
// **Any question about a new input.** A likelihood splits exactly, $\ln p(\mathbf{x}) = \ln p(\text{upper}) + \ln p(\text{lower} \mid \text{upper})$, and each marginal is one pass. What the halves of one picture tell of each other is their **pointwise mutual information (PMI)**, $\ln \frac{p(\text{upper}, \text{lower})}{p(\text{upper})\, p(\text{lower})}$. It can have either sign: below 0, the halves contradict each other; each is likely alone, and together they are not. Only its mean over pairs drawn from the model itself is the model's mutual information.
//
// ### Predict: what one half tells of the other
//
// The table below has the mean PMI of the halves of test digits, and of pairs put together from the halves of two different digits, once by the circuit and once by the histogram of each pixel. *Before* you run it: what sign has each mean? (As far as a model is right about its digits.)

// %% id="halves-tell"
/**
 * The sign of the mean pointwise mutual information of upper and lower halves.
 * @param pairs whether both halves are of one digit, or of two @param model whose p it is
 * @returns 1 above 0, −1 below 0, or 0
 */
function halvesTell(pairs: 'of one digit' | 'of two digits', model: 'circuit' | 'histogram'): -1 | 0 | 1 {
  // BEGIN SOLUTION circuit.halvesTell
  if (model === 'histogram') return 0; // p(upper, lower) is p(upper) p(lower), for every pair
  // pairs from p: KL[p(upper, lower) ‖ p(upper) p(lower)]; pairs put together: minus the KL the other way round
  return pairs === 'of one digit' ? 1 : -1;
  // END SOLUTION
}

// %% id="new-inputs"
const best = winner.model;
const meanOf = (x: tf.Tensor) => x.mean().neg().dataSync()[0]!;
const upsideDown = tf.tidy(() => digits.test.x.reverse(1)); // the picture turned by 180 degrees
const strangers = tf.tidy(() => {
  const [top, bottom] = [digits.test.x.slice([0, 0], [-1, 32]), digits.test.x.slice([0, 32], [-1, 32])];
  return tf.concat([top, bottom.reverse(0)], 1); // the lower half of another digit
});
/** −ln p of the whole, the upper and the lower half: means over the pictures. */
const byCircuit = (x: tf.Tensor) =>
  tf.tidy(() => {
    const mask = tf.tile(tf.range(0, 64).less(32).toFloat().expandDims(0), [x.shape[0]!, 1]);
    return [tf.onesLike(mask), mask, tf.sub(1, mask)].map((seen) => meanOf(best.logMarginal(x, seen)));
  });
const byHistogram = (x: tf.Tensor) =>
  [[0, 64], [0, 32], [32, 32]].map(([from, count]) => {
    const part = (all: tf.Tensor) => tf.tidy(() => all.slice([0, from!], [-1, count!]));
    return evaluate(histogramBaseline({ x: part(digits.train.x) }, V), { x: part(x) }, rng).nats;
  }); // prettier-ignore
table(
  [
    { input: 'test digits', model: 'circuit', parts: byCircuit(digits.test.x) },
    { input: 'halves of two digits', model: 'circuit', parts: byCircuit(strangers) },
    { input: 'upside down', model: 'circuit', parts: byCircuit(upsideDown) },
    { input: 'test digits', model: 'histogram', parts: byHistogram(digits.test.x) },
    { input: 'halves of two digits', model: 'histogram', parts: byHistogram(strangers) },
  ].map(({ input, model, parts: [whole, top, bottom] }) => ({
    input,
    model,
    whole: whole!,
    upper: top!,
    lower: bottom!,
    'lower given upper': whole! - top!,
    'mean PMI of the halves': Math.round(1000 * (top! + bottom! - whole!)) / 1000, // float32 knows no more
  })),
  { caption: 'Mean −ln p, in nats, of whole pictures and of their halves', digits: 1 },
);

// %% id="check-halves-tell"
await check('circuit.halvesTell', halvesTell);

// %% [markdown] id="sampling"
// ## 7 Sampling
//
// From the root down, **ancestral** as in chapter 3: a product asks all its children, a sum chooses one of its inputs with the probabilities $w_j$, and the leaves that are reached draw their value.
//
// Given evidence there are two passes. Up: every unit gets the log-probability $a$ of the evidence in its scope, missing variables summed out, as in `logCircuit`. Down: the same walk, with posteriors for priors at every choice. Why is that enough? What a sum's choice has to know of the evidence *above* it is only that the walk came here: given that, the variables below are independent of all others, by decomposability.
//
// The **most probable explanation (MPE)** replaces the sums by maxima, and draws by choosing the largest. It gives the single most likely way through the circuit, and looks cleaner, and more alike from picture to picture, than any sample.
//
// ### Exercise: design the walk that draws what is missing
//
// Design the walk yourself: no formula is given but the rule of the game. So that chance is the same for you and the check, node $i$ makes its choice with the number $u_i$ of $[0, 1)$: of the cumulative sums of its probabilities, all but the last, count those that $u_i$ has reached or passed (as in chapter 3's sampler). That is the place of the input, or the value of a leaf. Which probabilities a sum has is the exercise.

// %% id="complete-circuit"
/**
 * A draw of the missing variables from p(missing | known).
 * @param x one entry a variable: the index of its value, or null where it is missing; possible, if perhaps unlikely
 * @param u for each node the number that makes its choice @returns x with every null replaced
 */
function completeCircuit(nodes: readonly Node[], x: readonly (number | null)[], u: readonly number[]): number[] {
  // BEGIN SOLUTION circuit.complete
  const below = (node: number) => logCircuit(nodes.slice(0, node + 1), x); // ln p of the evidence in its scope
  const choose = (logs: readonly number[], number: number): number => {
    const largest = Math.max(...logs);
    const shares = logs.map((log) => Math.exp(log - largest));
    const total = shares.reduce((a, b) => a + b);
    let sum = 0;
    return shares.slice(0, -1).filter((share) => number >= (sum += share / total)).length;
  };
  const drawn = [...x];
  const ask = (i: number): void => {
    const unit = nodes[i]!;
    if (unit.kind === 'product') unit.children.forEach((child) => ask(child));
    else if (unit.kind === 'sum') {
      const logs = unit.children.map((child, j) => Math.log(unit.weights[j]!) + below(child));
      ask(unit.children[choose(logs, u[i]!)]!);
    } else if (x[unit.variable] === null) drawn[unit.variable] = choose(unit.p.map(Math.log), u[i]!); // prettier-ignore
  };
  ask(nodes.length - 1);
  return drawn as number[];
  // END SOLUTION
}

// %% id="check-complete-circuit"
await check('circuit.complete', completeCircuit);

// %% [markdown] id="samples-text"
// Below, samples; then, for five digits, what is shown, a draw of the rest by *your* walk through the circuit of the first picture, one by the library from the best circuit, and that circuit's most probable explanation.

// %% id="samples"
imageGrid(rowsOfPixels(best.sample({ count: 20, rng: rng.fork('samples') })), {
  height: 8,
  width: 8,
  columns: 10,
  levels: V,
  title: 'Samples',
});
const libraryDraws = best.complete(shown, upper, rng.fork('again'));
const walk = yours(completeCircuit, (_, x: readonly (number | null)[]) => {
  const row = tf.tensor2d([x.map((v) => v ?? 0)]);
  const known = tf.tensor2d([x.map((v) => (v === null ? 0 : 1))]);
  return rowsOfPixels(first.complete(row, known, rng.fork('library walk')))[0]!;
});
const ownDraws = rowsOfPixels(shown).map((row, n) => {
  const u = rng.fork(`walk ${n}`).uniform([unitsOfFirst.length]).arraySync() as number[];
  return walk(unitsOfFirst, upperOf(row), u);
});
imageGrid([...rowsOfPixels(half), ...ownDraws, ...[libraryDraws, best.mpe(shown, upper)].flatMap(rowsOfPixels)], {
  height: 8,
  width: 8,
  columns: 10,
  levels: V,
  title: `Shown; a draw, ${walk.by()}; a draw of the best circuit; its most probable explanation`,
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
const [rounds, drawn] = [budgeted(15), budgeted(500)];
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
  const { milliseconds: iterations } = await em(model, { train: digits.train }, { ...once, iterations: rounds });
  costs.push({
    K,
    'EM, ms per iteration': iterations / rounds,
    'marginal, ms per image': milliseconds(447, () => model.logMarginal(digits.test.x, manyMasks)),
    'sampling, ms per image': milliseconds(drawn, () => model.sample({ count: drawn, rng: rng.fork('cost samples') })),
    weights: weightsOf(structure),
  });
}
table(costs, { caption: 'Cost of a hidden Chow–Liu tree on the digits', digits: 2 });

// %% [markdown] id="failures"
// ## Where it fails
//
// On data whose entropy $H$ is known, the divergence is a number: $\mathrm{KL}[p \,\|\, q] = \text{NLL} - H$. Three worlds, 4,000 training examples each:
//
// * **a Markov chain** of three symbols: a tree says all there is to say, given three states to say it with;
// * **the Ising model** on $4 \times 4$ pixels: its graph is full of loops, and a tree, which has none, keeps 15 of its 24 edges. More states buy some of that back, at a price that grows as $K^2$;
// * **even parity**: eight coins that show an even number of heads. Every pair, indeed every seven of them, is independent.
//
// ### Predict: what a model pays for a world of coins
//
// *Before* you run the table: for $D$ fair coins that are *independent*, that are all *copies* of one coin, or that have *even parity*, how many nats per example is the KL to the best histogram (a table for each coin by itself), and to the best tree over the coins (every coin has a table for each value of its parent)?

// %% id="predicted-kl"
/**
 * KL from a world of fair coins to the best model of a kind, in nats.
 * @param coins how many, at least 2
 */
function predictedKl(
  world: 'independent' | 'copies' | 'even parity',
  model: 'histogram' | 'tree',
  coins: number,
): number {
  // BEGIN SOLUTION circuit.predictedKl
  // H is ln of the number of states: 2^D, 2, 2^(D − 1). The histogram's code has D ln 2, and each of a tree's D − 1
  // edges saves what its two coins know of each other.
  const { total, pairs } = {
    independent: { total: 0, pairs: 0 },
    copies: { total: (coins - 1) * Math.LN2, pairs: Math.LN2 },
    'even parity': { total: Math.LN2, pairs: coins === 2 ? Math.LN2 : 0 },
  }[world];
  return total - (model === 'tree' ? (coins - 1) * pairs : 0);
  // END SOLUTION
}

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
const chain: Tree = [1, 2, 3, 4, 5, 6, 7, -1];

/** KL of the world to circuits over a tree (its own Chow–Liu tree unless given), each the best of so many starts. */
async function divergencesOf(world: Source, sizes: readonly number[], starts: number, given?: Tree) {
  const here = rng.fork(world.name);
  const train = { x: world.sample({ count: 4000, rng: here.fork('train') }) };
  const test = { x: world.sample({ count: 4000, rng: here.fork('test') }) };
  const values = world.support.kind === 'discrete' ? world.support.values.length : 0;
  const own = evaluate(world, test, here).nats; // the source's own score on the same examples: H up to sampling error
  const rows: [string, number][] = [];
  for (const K of sizes) {
    const structure = hiddenTree(given ?? chowLiuTree(train.x, values), values, K);
    const config = { ...circuit.defaults, structure, eventShape: world.eventShape, leafCount: 0.1, sumCount: 0.1 };
    const ends = [];
    for (let start = 1; start <= starts; start++) {
      const model = circuit.create(config, here.fork(`K = ${K}, start ${start}`));
      await em(model, { train }, { iterations: budgeted(60), tolerance: 1e-5, rng: here, quiet: true });
      ends.push({ trained: evaluate(model, train, here).nats, kl: evaluate(model, test, here).nats - own });
    }
    rows.push([`KL, K = ${K}`, ends.reduce((a, b) => (b.trained < a.trained ? b : a)).kl]);
  }
  const histogram = evaluate(histogramBaseline(train, values), test, here).nats - own;
  const rooted = evaluate(chowLiuBaseline(train, values, { alpha: 0.1, beta: 0.1 }), test, here).nats - own;
  return { histogram, rooted, circuits: Object.fromEntries(rows) };
}
const known = [];
for (const world of worlds) {
  const { histogram, rooted, circuits } = await divergencesOf(world, [2, 4, 8], 1);
  known.push({ world: world.name, 'H, nats': world.entropy, 'KL, histogram': histogram, 'KL, tree': rooted, ...circuits }); // prettier-ignore
}
table(known, { caption: 'Divergence from sources of known entropy, in nats: circuits over their own Chow–Liu trees', digits: 3 }); // prettier-ignore

// %% id="check-predicted-kl"
await check('circuit.predictedKl', predictedKl);

// %% [markdown] id="parity-text"
// **Even parity, in the family's favour.** That tree was drawn by noise, so give it a better one: a chain, in which coin $d$ hangs from coin $d + 1$. A latent variable needs four states: the parity of the coins so far, and its own coin. (Two will not do. Given $z_d$, the coin $x_d$ and what lies on either side of it are independent, yet their parities must sum to the total: each must be fixed by $z_d$, which takes $2 \times 2$ states.) Below, such a circuit written by hand, and what EM finds on the same chain from five starts.

// %% id="parity"
/** z_d = 2 · (parity of coins 0 … d) + coin d, from the last coin backwards. */
function parityByHand(): Circuit {
  const structure = hiddenTree(chain, 2, 4);
  const coinOf = (z: number) => z % 2;
  const before = (z: number) => (z >> 1) ^ coinOf(z); // the parity of the coins before
  const states = [0, 1, 2, 3];
  let d = 0; // nodes come from coin 0 upwards
  const tables = structure.nodes.map((node, i) => {
    if (node.kind === 'leaf') return states.map((z) => (coinOf(z) === 0 ? [1, 0] : [0, 1]));
    if (node.kind === 'product') return [];
    const allowed = (own: number) => d > 0 || before(own) === 0; // nothing lies before coin 0
    const isRoot = i === structure.nodes.length - 1;
    const parities = isRoot ? [0] : states.map(before); // what the parent, or evenness, asks of coins 0 … d
    const rows = parities.map((parity) => {
      const fits = states.map((own) => (own >> 1 === parity && allowed(own) ? 1 : 0) as number);
      const total = fits.reduce((a, b) => a + b);
      return fits.map((fit) => fit / total);
    });
    d += 1;
    return rows;
  });
  return { structure, tables };
}
const byHand = parityByHand();
const evenOnes = evenParity.flatMap((weight, i) => (weight === 0 ? [Array.from({ length: 8 }, (_, d) => (i >> (7 - d)) & 1)] : [])); // prettier-ignore
const klByHand = -Math.log(128) - evenOnes.reduce((sum, x) => sum + evaluateCircuit(byHand, x), 0) / 128;
const onChain = await divergencesOf(worlds[2]!, [4, 8], 5, chain);
table(
  [
    { 'circuit on the chain': 'by hand, K = 4', KL: klByHand },
    ...Object.entries(onChain.circuits).map(([K, KL]) => ({ 'circuit on the chain': `EM, ${K.slice(4)}, best of 5 starts`, KL })), // prettier-ignore
  ],
  { caption: 'Even parity of eight coins: divergence in nats', digits: 3 },
);

// %% [markdown] id="parity-reading"
// The family can, EM cannot. Wherever it begins, all pairs look independent, nothing pulls in any direction, and it stays at $\ln 2 = 0.693$, the price of not knowing the parity.

// %% [markdown] id="failures-more"
// **The structure is a commitment.** A variable's neighbours in the tree are chosen before training, by pairs, and what shows in no pair (parity) is never seen. Deep networks learn their features; circuits of this kind choose among fixed ones.
//
// **Some questions stay hard.** Marginals are easy because sums move down through sums. Maxima do not: the exact $\arg\max_{\mathbf{x}} p(\mathbf{x})$ is NP-hard unless the circuit is also *deterministic* (at most one input of a sum is not 0 for any $\mathbf{x}$).
//
// ### Sources
//
// C. Chow, C. Liu, *Approximating discrete probability distributions with dependence trees*, IEEE Transactions on Information Theory 14 (1968). A. Darwiche, *A differential approach to inference in Bayesian networks*, JACM 50 (2003). H. Poon, P. Domingos, *Sum-product networks*, UAI 2011. R. Peharz et al., *Einsum networks*, ICML 2020. Y. Choi, A. Vergari, G. Van den Broeck, *Probabilistic circuits: a unifying framework* (2020). A. Liu, G. Van den Broeck, *Tractable regularization of probabilistic circuits*, NeurIPS 2021. J. Tomczak, *Deep Generative Modeling* (2024), chapter 2. The bug is in SPFlow (issue 174 of github.com/SPFlow/SPFlow), the lost variables in its issue 74.
