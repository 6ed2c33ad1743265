import * as tf from '@tensorflow/tfjs';
import {
  checkCircuit,
  checkStructure,
  chowLiuTree,
  type Circuit,
  circuit,
  type CircuitModel,
  createRng,
  em,
  evaluateCircuit,
  hiddenTree,
  imageHalves,
  maximumSpanningTree,
  mutualInformation,
  randomCircuit,
  randomHalves,
  type Structure,
  totalProbability,
} from 'dgm';
import { rootFirst } from '../../../lib/circuits/chow-liu';
import { describe, expect, test } from 'vitest';
import { chiSquare, enumerate, expectClose, logSumExp, read, tensorsLeft } from '../../helpers';

const rng = createRng('circuits');
const ones = (shape: readonly number[]) => tf.ones([...shape]);

/** Sums with several children, nodes of several widths, and a leaf that two products share. */
const shared: Structure = {
  variables: 3,
  values: 3,
  nodes: [
    { kind: 'leaf', variable: 0, units: 2 },
    { kind: 'leaf', variable: 1, units: 2 },
    { kind: 'leaf', variable: 2, units: 2 },
    { kind: 'product', children: [0, 1] },
    { kind: 'product', children: [1, 2] },
    { kind: 'sum', children: [3], units: 3 },
    { kind: 'leaf', variable: 2, units: 3 },
    { kind: 'product', children: [5, 6] },
    { kind: 'product', children: [4, 0] },
    { kind: 'sum', children: [7, 8, 7], units: 1 },
  ],
};

const structures: readonly (readonly [string, Structure])[] = [
  ['hidden tree', hiddenTree([1, -1, 1, 2], 3, 2)],
  ['random halves', randomHalves({ variables: 4, values: 3, units: 2 }, rng)],
  ['image halves', imageHalves(2, 2, 3, 2)],
  ['shared leaves', shared],
];

const create = (structure: Structure): CircuitModel => {
  const config = { ...circuit.tiny.config, structure, eventShape: [structure.variables] };
  return circuit.create(config, rng.fork('weights'));
};
const worldOf = ({ variables }: Structure) => enumerate([0, 1, 2], variables);
const plain = (model: CircuitModel): Circuit => ({ structure: model.structure, tables: model.tables() });

describe.each(structures)('%s', (_, structure) => {
  const model = create(structure);
  const world = worldOf(structure);
  const D = structure.variables;
  const batch = () => tf.tensor2d(world);
  const logP = world.map((x) => evaluateCircuit(plain(model), x));

  test('its tables are normalised, and its probabilities sum to 1', () => {
    checkCircuit(plain(model));
    expect(Math.exp(logSumExp(logP))).toBeCloseTo(1, 5);
  });

  test('the layers of tensors give what the nodes give one by one', () => {
    expectClose(read(model.logMarginal(batch(), ones([world.length, D]))), logP, { absolute: 1e-5 });
    const { likelihood } = model;
    if (!('logProb' in likelihood)) return expect.fail('exact');
    expectClose(read(likelihood.logProb(batch(), rng)), logP, { absolute: 1e-5 });
  });

  test('every marginal is the sum over what is missing, also where that holds NaN', () => {
    for (const mask of enumerate([0, 1], D)) {
      const x = tf.tensor2d(world.map((row) => row.map((v, d) => (mask[d] ? v : NaN))));
      const observed = tf.tensor2d(world.map(() => mask));
      const expected = world.map((row) =>
        logSumExp(logP.filter((_, i) => world[i]!.every((v, d) => !mask[d] || v === row[d]))),
      );
      expectClose(read(model.logMarginal(x, observed)), expected, { absolute: 1e-5 });
      const holes = world[4]!.map((v, d) => (mask[d] ? v : null));
      expectClose([evaluateCircuit(plain(model), holes)], [expected[4]!], { absolute: 1e-6 });
    }
  });

  test('completions follow the conditional distribution', () => {
    const n = 6000;
    const evidence = 1;
    const x = tf.tidy(() => tf.concat([tf.fill([n, 1], evidence), tf.fill([n, D - 1], NaN)], 1));
    const observed = tf.tidy(() => tf.concat([tf.ones([n, 1]), tf.zeros([n, D - 1])], 1));
    const given = world.map((row, i) => ({ key: row.join(), logP: logP[i]!, row })).filter((w) => w.row[0] === evidence); // prettier-ignore
    const total = logSumExp(given.map((w) => w.logP));
    for (const draws of [
      model.complete(x, observed, rng.fork('complete')),
      model.sample({ count: n, rng: rng.fork('given'), given: x }),
    ]) {
      const rows = (draws.arraySync() as number[][]).map((row) => row.join());
      const counts = given.map(({ key }) => rows.filter((row) => row === key).length);
      expect(counts.reduce((a, b) => a + b)).toBe(n);
      const { statistic, bound } = chiSquare(counts, given.map((w) => n * Math.exp(w.logP - total))); // prettier-ignore
      expect(statistic).toBeLessThan(bound);
    }
  });

  test('the most probable explanation is the best of all choices of x and of the sums', () => {
    const masks = enumerate([0, 1], D);
    const x = tf.tensor2d(masks.map(() => world[5]!));
    const got = (model.mpe(x, tf.tensor2d(masks)).arraySync() as number[][]).map((row) => row);
    masks.forEach((mask, m) => {
      const fits = world.filter((row) => row.every((v, d) => !mask[d] || v === world[5]![d]));
      const best = Math.max(...fits.map((row) => bestChoice(plain(model), row)));
      expect(fits.map((row) => row.join())).toContain(got[m]!.join());
      expectClose([bestChoice(plain(model), got[m]!)], [best], { absolute: 1e-5 });
    });
  });

  test('expected counts explain the slope of the loss, and the root’s are the number of examples', () => {
    const x = tf.tensor2d(world.slice(0, 20));
    const counts = model.expectedCounts(x).map(read);
    const { variables } = model.objectives[0]!;
    // the slope of the loss in a logit is −(count − weight · counts of its row) / N
    const slopes = tf.variableGrads(() => model.objectives[0]!.loss({ x }, rng) as tf.Scalar, [...variables]).grads;
    variables.forEach((variable, i) => {
      const [n, row] = [variable.shape[2]!, counts[i]!];
      const w = read(tf.tidy(() => tf.softmax(variable)));
      const expected = row.map((count, j) => {
        const start = j - (j % n);
        const used = row.slice(start, start + n).reduce((a, b) => a + b);
        return -(count - w[j]! * used) / 20;
      });
      expectClose(read(slopes[variable.name]!), expected, { absolute: 1e-4 });
    });
    const rootTable = counts.at(-1)!;
    expectClose([rootTable.reduce((a, b) => a + b)], [20], { relative: 1e-4 }); // the root is asked once an example
  });

  test('EM never lowers the likelihood plus the log-prior', async () => {
    const learner = create(structure);
    const train = { x: create(structure).sample({ count: 80, rng: rng.fork('data') }) };
    const objective = () => {
      const rows = (train.x.arraySync() as number[][]).map((x) => evaluateCircuit(plain(learner), x));
      return rows.reduce((a, b) => a + b) + logPrior(learner, train.x.arraySync() as number[][]);
    };
    const options = { iterations: 1, tolerance: -Infinity, rng, quiet: true };
    const values: number[] = [];
    for (let i = 0; i < 12; i++) {
      await em(learner, { train }, options);
      values.push(objective());
    }
    values.slice(1).forEach((value, i) => expect(value).toBeGreaterThan(values[i]! - 1e-3));
    expect(values.at(-1)!).toBeGreaterThan(values[0]! + 0.1);
  });

  test('leaves no tensors', async () => {
    const [x, observed] = [batch(), tf.zeros([world.length, D])];
    const left = await tensorsLeft(() => {
      tf.dispose([model.logMarginal(x, observed), model.complete(x, observed, rng), model.mpe(x, observed)]);
      tf.dispose(model.expectedCounts(x));
      model.tables();
    });
    expect(left).toBe(0);
  });
});

/** max over the choices of all sums of ln p(x, choices). */
function bestChoice({ structure, tables }: Circuit, x: readonly number[]): number {
  const values: number[][] = [];
  structure.nodes.forEach((node, i) => {
    if (node.kind === 'leaf') values.push(tables[i]!.map((row) => Math.log(row[x[node.variable]!]!)));
    else if (node.kind === 'sum') {
      const inputs = node.children.flatMap((child) => values[child]!);
      values.push(tables[i]!.map((row) => Math.max(...row.map((w, j) => Math.log(w) + inputs[j]!))));
    } else {
      const parts = node.children.map((child) => values[child]!);
      values.push(parts[0]!.map((_, k) => parts.reduce((sum, part) => sum + part[k]!, 0)));
    }
  });
  return values.at(-1)![0]!;
}

/** Σ pseudo-count · ln weight, with the library's pseudo-counts written out anew. */
function logPrior(model: CircuitModel, rows: readonly (readonly number[])[]): number {
  const { structure } = model;
  const { sumCount, leafCount } = circuit.tiny.config;
  const V = structure.values;
  return model.tables().reduce((sum, table, i) => {
    const node = structure.nodes[i]!;
    const terms = table.flatMap((row) =>
      row.map((w, j) => {
        if (node.kind !== 'leaf') return (sumCount / row.length) * Math.log(w);
        const seen = rows.filter((x) => x[node.variable] === j).length;
        return (leafCount * (seen + 1 / V) * Math.log(w)) / (rows.length + 1);
      }),
    );
    return sum + terms.reduce((a, b) => a + b, 0);
  }, 0);
}

describe('a structure that is none', () => {
  const leaf = (variable: number, units = 2) => ({ kind: 'leaf', variable, units }) as const;
  const check =
    (...nodes: Structure['nodes'][number][]) =>
    () =>
      checkStructure({ variables: 2, values: 3, nodes });

  test.each([
    ['not smooth', check(leaf(0), leaf(1), { kind: 'sum', children: [0, 1], units: 1 }), 'circuit: node 2 (sum) is not smooth: child 0 is over {x0}, child 1 over {x1}'],
    ['not decomposable', check(leaf(0), leaf(0), { kind: 'product', children: [0, 1] }), 'circuit: node 2 (product) is not decomposable: children 0 and 1 share x0'],
    ['widths', check(leaf(0), leaf(1, 3), { kind: 'product', children: [0, 1] }), 'circuit: node 2 (product): unit k multiplies the units k of its children, so they need as many each, got 2 and 3'],
    ['parent first', check({ kind: 'sum', children: [1], units: 1 }, leaf(0)), 'circuit: node 0 (sum): child 1 must come before it'],
    ['no children', check(leaf(0), { kind: 'sum', children: [], units: 1 }), 'circuit: node 1 (sum) has no children'],
    ['no such variable', check(leaf(2)), 'circuit: node 0 (leaf): variable must be 0 … 1, got 2'],
    ['no units', check(leaf(0, 0)), 'circuit: node 0 (leaf): units must be an integer ≥ 1, got 0'],
    ['idle', check(leaf(0), leaf(0, 1), leaf(1, 1), { kind: 'product', children: [1, 2] }), "circuit: node 0 (leaf) is nobody's child"],
    ['a narrow root', check(leaf(0, 1)), 'circuit: node 0, the root, must be one unit over all 2 variables, got 1 over 1'],
    ['nothing', check(), 'circuit: expected at least one node'],
  ])('%s', (_, run, message) => expect(run).toThrow(message)); // prettier-ignore

  test('weights that do not sum to 1 are named', () => {
    const good = randomCircuit({ variables: 2, values: 2, units: 2 }, rng);
    checkCircuit(good);
    const spoilt = good.tables.map((table, i) => (i === 0 ? [[0.5, 0.6], table[1]!] : table));
    expect(() => checkCircuit({ ...good, tables: spoilt })).toThrow('circuit: node 0 (leaf) is not normalised: the weights of unit 0'); // prettier-ignore
    expect(() => checkCircuit({ ...good, tables: [] })).toThrow('circuit: node 0 (leaf) needs a table [2][2]');
  });

  test('a family’s configuration', () => {
    const config = { ...circuit.tiny.config, eventShape: [4] };
    expect(() => circuit.create(config, rng)).toThrow('eventShape [4] must have 3 coordinates');
    expect(() => circuit.create({ ...circuit.tiny.config, leafCount: 0 }, rng)).toThrow('leafCount must be > 0');
  });
});

test('an input of weight 0 adds nothing, however probable it is', () => {
  const D = 40; // 10⁻³⁰ for each of them is 0 in double precision
  const leaves = Array.from({ length: D }, (_, variable) => ({ kind: 'leaf', variable, units: 2 }) as const);
  const children = leaves.map((_, d) => d);
  const structure: Structure = {
    variables: D,
    values: 2,
    nodes: [...leaves, { kind: 'product', children }, { kind: 'sum', children: [D], units: 1 }],
  };
  const tables = [...leaves.map(() => [[1, 0], [1e-30, 1]]), [], [[0, 1]]]; // prettier-ignore
  const got = evaluateCircuit({ structure, tables }, new Array<number>(D).fill(0));
  expect(got).toBeCloseTo(D * Math.log(1e-30), 8);
});

test('a random circuit sums to 1', () => {
  const made = randomCircuit({ variables: 3, values: 2, units: 3 }, rng);
  const logProb = (x: tf.Tensor) => tf.tensor1d((x.arraySync() as number[][]).map((row) => evaluateCircuit(made, row)));
  expectClose([totalProbability(logProb, [0, 1], [3])], [1], { absolute: 1e-6 });
});

describe('Chow–Liu', () => {
  const x = () =>
    tf.tidy(() => {
      // a chain 2 – 0 – 1 – 3: each coordinate copies its neighbour, or not
      const flips = rng
        .fork('flips')
        .uniform([3000, 4])
        .less(tf.tensor1d([0.5, 0.2, 0.1, 0.3]))
        .toFloat();
      const [a, b, c, d] = tf.unstack(flips, 1) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
      const flip = (u: tf.Tensor, v: tf.Tensor) => u.notEqual(v).toFloat();
      const one = flip(a, b);
      return tf.stack([a, one, flip(a, c), flip(one, d)], 1);
    });

  test('finds the edges of the chain that made the data, hung up in the middle', () => {
    const tree = chowLiuTree(x(), 2);
    const edges = tree.flatMap((parent, d) => (parent < 0 ? [] : [[Math.min(d, parent), Math.max(d, parent)].join()]));
    expect(edges.sort()).toEqual(['0,1', '0,2', '1,3']);
    expect([0, 1]).toContain(tree.indexOf(-1));
  });

  test('mutual information by hand', () => {
    const pairs = tf.tensor2d([[0, 0], [0, 0], [1, 1], [0, 1]]); // prettier-ignore
    const expected = 0.5 * Math.log(0.5 / (0.75 * 0.5)) + 0.25 * Math.log(0.25 / (0.25 * 0.5)) + 0.25 * Math.log(0.25 / (0.75 * 0.5)); // prettier-ignore
    const information = mutualInformation(pairs, 2);
    expectClose(information.flat(), [0, expected, expected, 0], { absolute: 1e-12 });
    expect(mutualInformation(pairs, 2, { alpha: 1 })[0]![1]!).toBeLessThan(expected);
    expect(() => mutualInformation(pairs, 2, { alpha: -1 })).toThrow('alpha must be ≥ 0, got -1');
    expect(() => chowLiuTree(tf.tensor2d([[0, 2]]), 2)).toThrow('x must hold integers 0 … 1, got 2 in example 0');
  });

  test('the spanning tree is the heaviest of all trees', () => {
    for (let seed = 0; seed < 10; seed++) {
      const raw = read(rng.fork(`weights ${seed}`).normal([25]));
      const weights = [0, 1, 2, 3, 4].map((i) => [0, 1, 2, 3, 4].map((j) => raw[5 * Math.min(i, j) + Math.max(i, j)]!));
      const weigh = (tree: readonly number[]) => tree.reduce((sum, p, d) => (p < 0 ? sum : sum + weights[d]![p]!), 0);
      const all = enumerate([0, 1, 2, 3, 4], 4).map((parents) => [-1, ...parents]);
      const trees = all.filter((tree) => {
        try {
          return rootFirst(tree).length === 5;
        } catch {
          return false;
        }
      });
      expect(trees.length).toBe(125); // Cayley: 5^3
      expect(weigh(maximumSpanningTree(weights))).toBeCloseTo(Math.max(...trees.map(weigh)), 6);
    }
  });

  test('a tree needs one root and no cycle', () => {
    expect(() => rootFirst([0, 1])).toThrow('expected one root (parent −1), got 0');
    expect(() => rootFirst([-1, -1])).toThrow('got 2');
    expect(() => rootFirst([-1, 2, 1])).toThrow('2 of 3 variables do not lead to the root');
    expect(() => maximumSpanningTree([[0, 1]])).toThrow('weights must be [D][D]');
  });

  test.each([
    ['NaN', [[0, NaN], [NaN, 0]], 'got NaN at [1][0] and NaN at [0][1]'],
    ['one half only', [[0, 1, 3], [0, 0, 4], [0, 0, 0]], 'got 0 at [1][0] and 1 at [0][1]'],
    ['two weights for one edge', [[0, 1], [1.01, 0]], 'got 1.01 at [1][0] and 1 at [0][1]'],
  ] as const)('a tree of weights with %s is refused', (_, weights, message) => {
    expect(() => maximumSpanningTree(weights)).toThrow(message);
  }); // prettier-ignore

  test('a tree looks at no diagonal, and forgives the last digits', () => {
    expect(maximumSpanningTree([[NaN, 1], [1 + 1e-7, NaN]])).toEqual([-1, 0]); // prettier-ignore
    expect(maximumSpanningTree([[0, Infinity], [Infinity, 0]])).toEqual([-1, 0]); // prettier-ignore
  });
});
