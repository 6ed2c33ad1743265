import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseNotebook, type Notebook } from 'dgm-jupyter';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SourceCell } from '../../../grader/compile/pieces';
import { similarPairs, type Work } from '../../../grader/reports/similarity';
import { withoutIdle } from '../../../grader/reports/slices';
import { tokensOf } from '../../../grader/reports/tokens';

const ROOT = resolve(import.meta.dirname, '../../..');
const read = (file: string) => parseNotebook(readFileSync(join(ROOT, file), 'utf8'), file);
const released = read('notebooks/03-mixtures.ipynb');
const solved = read('solutions/03-mixtures.ipynb');

function cellsOf({ cells }: Notebook): SourceCell[] {
  const code = cells.filter(({ cell_type }) => cell_type === 'code');
  return code.map(({ id, source }, i) => ({ number: i + 1, id, source }));
}

const given = cellsOf(released);

/** The released notebook with these bodies in the place of what throws, or of the code that is given. */
function written(bodies: Readonly<Record<string, string>>): Notebook {
  const cells = released.cells.map((cell) => {
    const name = Object.keys(bodies).find((exercise) => cell.source.includes(`function ${exercise}(`));
    if (name === undefined || cell.cell_type !== 'code') return cell;
    const open = cell.source.indexOf(
      '{\n',
      cell.source.indexOf(`function ${name}(`) +
        cell.source.slice(cell.source.indexOf(`function ${name}(`)).search(/\n?\): /),
    );
    return { ...cell, source: `${cell.source.slice(0, open + 2)}${bodies[name]}\n}` };
  });
  return { ...released, cells };
}

// The same exercises, written by people who did not see each other's work

const loops = written({
  logNormal: `  const [B, D] = x.shape as [number, number];
  const K = mu.shape[0]!;
  const [xs, ms, ls] = [x.arraySync() as number[][], mu.arraySync() as number[][], logVar.arraySync() as number[][]];
  const out = new Float32Array(B * K);
  for (let b = 0; b < B; b++)
    for (let k = 0; k < K; k++) {
      let s = D * Math.log(2 * Math.PI);
      for (let d = 0; d < D; d++) s += ls[k]![d]! + (xs[b]![d]! - ms[k]![d]!) ** 2 / Math.exp(ls[k]![d]!);
      out[b * K + k] = -s / 2;
    }
  return tf.tensor2d(out, [B, K]);`,
  responsibilities: `  return tf.softmax(logJoint, 1);`,
  mStep: `  const K = r.shape[1]!;
  const D = x.shape[1]!;
  const perCoordinate = x.unstack(1).map((column) => {
    const hot = tf.oneHot(column.cast('int32') as tf.Tensor1D, values);
    return tf.matMul(r.transpose(), hot.cast('float32'));
  });
  const table = tf.stack(perCoordinate, 1).add(tf.scalar(alpha));
  const mass = tf.add(tf.sum(r, 0), alpha);
  const norm = tf.sum(table, -1).reshape([K, D, 1]);
  return { logTheta: tf.log(tf.div(table, norm)), logPi: tf.log(mass).sub(tf.log(tf.sum(mass))) };`,
  chooseComponents: `  let winner = candidates[0]!;
  for (const one of candidates) if (one.validation < winner.validation) winner = one;
  let smallest = winner.components;
  for (const one of candidates) {
    if (one.validation > winner.validation + winner.standardError) continue;
    if (one.components < smallest) smallest = one.components;
  }
  return smallest;`,
  sampleMixture: `  const weights = pi.arraySync() as number[];
  const draws = rng.fork('which').uniform([count]).arraySync() as number[];
  const which = draws.map((u) => {
    let k = 0;
    for (let sum = weights[0]!; k < weights.length - 1 && u >= sum; sum += weights[k]!) k++;
    return k;
  });
  const rows = tf.tensor1d(which, 'int32');
  const eps = rng.fork('eps').normal([count, mu.shape[1]!]);
  return mu.gather(rows).add(eps.mul(tf.sqrt(tf.exp(logVar)).gather(rows)));`,
  logMixture: `  const weight = tf.log(tf.softmax(logits));
  const perComponent = mu.unstack(0).map((m, k) => {
    const l = logVar.unstack(0)[k]!;
    const quadratic = tf.sum(tf.div(tf.square(tf.sub(z, m)), tf.exp(l)), 1);
    return quadratic.add(tf.sum(l)).add(m.size * Math.log(2 * Math.PI)).div(-2);
  });
  return tf.add(tf.stack(perComponent, 1), weight).logSumExp(-1);`,
});

const algebra = written({
  logNormal: `  const precision = tf.exp(tf.neg(logVar));
  const cross = tf.matMul(x, mu.mul(precision), false, true).mul(-2);
  const squares = tf.matMul(x.square(), precision, false, true);
  const own = mu.square().mul(precision).sum(1);
  const constant = logVar.sum(1).add(mu.shape[1]! * Math.log(Math.PI * 2));
  return squares.add(cross).add(own).add(constant).div(-2);`,
  responsibilities: `  const stable = tf.sub(logJoint, tf.max(logJoint, 1, true));
  const weights = tf.exp(stable);
  return tf.div(weights, tf.sum(weights, 1, true));`,
  mStep: `  const sizes = tf.sum(r, 0);
  const pi = sizes.add(alpha).div(x.shape[0]! + alpha * r.shape[1]!);
  const each = Array.from({ length: values }, (_, v) => tf.matMul(r, tf.equal(x, v).toFloat(), true, false));
  const theta = tf.stack(each, 2).add(alpha).div(sizes.add(values * alpha).reshape([-1, 1, 1]));
  return { logPi: pi.log(), logTheta: theta.log() };`,
  chooseComponents: `  const byLoss = [...candidates].sort((p, q) => p.validation - q.validation);
  const [{ validation, standardError }] = byLoss as [Candidate];
  const good = byLoss.filter((c) => !(c.validation > validation + standardError));
  return good.map((c) => c.components).sort((p, q) => p - q)[0]!;`,
  sampleMixture: `  const u = rng.fork('gumbel').uniform([count, pi.shape[0]!]);
  const scores = tf.log(pi).sub(tf.log(tf.neg(tf.log(u.maximum(1e-9)))));
  const chosen = tf.argMax(scores, 1) as tf.Tensor1D;
  const centre = tf.gather(mu, chosen);
  const spread = tf.exp(tf.gather(logVar, chosen).div(2));
  return tf.add(centre, tf.mul(spread, rng.fork('gauss').normal(centre.shape)));`,
  logMixture: `  const each = logNormal(z, mu, logVar);
  const normalised = logits.sub(tf.logSumExp(logits));
  return tf.logSumExp(each.add(normalised.expandDims(0)), 1);`,
});

/** A copy in disguise: other names, other texts, no comments, another layout, cells in another order. */
function disguised(notebook: Notebook): Notebook {
  const names: Readonly<Record<string, string>> = {
    difference: 'delta', terms: 'parts', largest: 'top', shifted: 'moved', logSum: 'normaliser', indicator: 'onehot',
    counts: 'tally', sizes: 'amounts', present: 'now', logJoint: 'joint', best: 'winner', limit: 'bound', below: 'edges',
    noise: 'eps', squares: 'quadratic', logNormal: 'normalLog', parameters: 'state', nats: 'losses',
  }; // prettier-ignore
  const rename = (text: string) => text.replace(/(?<![.\w])[a-zA-Z]+\b(?!:)/g, (word) => names[word] ?? word);
  const cells = notebook.cells.map((cell) => ({
    ...cell,
    source: rename(cell.source.replace(/\/\/ .*$/gm, '').replace(/'(component|noise)'/g, "'a $1'")).replace(
      /\n +\./g,
      '.',
    ),
  }));
  return { ...notebook, cells: [...cells.slice(0, 3), ...cells.slice(3).reverse()] };
}

const work = (student: string, notebook: Notebook): Work => ({ student, cells: cellsOf(notebook) });
const between = (a: Notebook, b: Notebook) => similarPairs([work('a', a), work('b', b)], given, 0).pairs[0]!;

describe('similarity', () => {
  test('of a notebook and itself is 1', () => expect(between(solved, solved).similarity).toBe(1));

  test('finds a copy with other names, texts, comments, layout and order of cells', () => {
    const { similarity, fragments } = between(solved, disguised(solved));
    expect(similarity).toBeGreaterThan(0.7);
    const [longest] = fragments;
    expect(longest!.left.text).not.toBe(longest!.right.text);
    expect(longest!.left.cell).not.toBe(longest!.right.cell);
  });

  test('finds a copy of a single exercise', () => {
    const body = solved.cells.find(({ source }) => source.includes('function emLoop('))!.source;
    const copied = {
      ...loops,
      cells: loops.cells.map((c) => (c.source.includes('function emLoop(') ? { ...c, source: body } : c)),
    };
    const pair = between(copied, solved);
    const all = pair.fragments.map(({ left }) => left.text).join('\n');
    expect(all).toContain('const present: Parameters');
    expect(pair.similarity).toBeGreaterThan(between(loops, solved).similarity + 0.1);
  });

  test('of independent solutions stays low', () => {
    for (const [a, b] of [
      [loops, algebra],
      [loops, solved],
      [algebra, solved],
    ] as const)
      expect(between(a, b).similarity).toBeLessThan(0.2);
  });

  test('does not count what everybody was given', () => {
    expect(between(released, released)).toMatchObject({ similarity: 0, fragments: [] });
    // without it they would be nearly alike
    const pair = similarPairs([work('a', loops), work('b', algebra)], [], 0).pairs[0]!;
    expect(pair.similarity).toBeGreaterThan(0.6);
  });

  test('tells where: the fragments are what both have, by cell and line', () => {
    for (const { tokens, left, right } of between(solved, disguised(solved)).fragments) {
      expect(tokens).toBeGreaterThanOrEqual(16);
      for (const [stretch, cells] of [
        [left, cellsOf(solved)],
        [right, cellsOf(disguised(solved))],
      ] as const) {
        const first = cells[stretch.cell - 1]!.source.split('\n')[stretch.line - 1];
        expect(stretch.text.split('\n')[0]).toBe(first);
        expect(stretch.text.split('\n').at(-1)).toBe(cells[stretch.toCell - 1]!.source.split('\n')[stretch.toLine - 1]);
      }
    }
  });

  test('is the same from both sides, and in any company', () => {
    const pairs = similarPairs([work('c', algebra), work('a', solved), work('b', disguised(solved))], given, 0).pairs;
    expect(pairs).toHaveLength(3);
    const found = pairs.find(({ left, right }) => left === 'a' && right === 'b')!;
    expect(found.similarity).toBeCloseTo(between(disguised(solved), solved).similarity, 10);
    expect(pairs[0]).toBe(found);
  });

  test('leaves out what more than half of a class has, and still finds the two who copied', () => {
    const works = Array.from({ length: 9 }, (_, i) => work(`same ${i}`, loops));
    const { pairs } = similarPairs(
      [...works, work('x', solved), work('y', disguised(solved)), work('z', algebra)],
      given,
      0.5,
    );
    expect(pairs.map(({ left, right }) => [left, right])).toEqual([['x', 'y']]);
  });

  test('shows the two hundred most similar pairs, and counts the others', () => {
    const works = Array.from({ length: 60 }, (_, i) => work(`student ${i}`, [loops, algebra, solved][i % 3]!));
    const { pairs, more } = similarPairs(works, given, 0.9);
    expect([pairs.length, more]).toEqual([200, (3 * 20 * 19) / 2 - 200]);
  });

  test('says who cannot be read, and reads what has errors', () => {
    const deep = [{ number: 1, id: 'a', source: `${'('.repeat(50_000)}1` }];
    const broken = {
      ...solved,
      cells: solved.cells.map((c) => ({ ...c, source: c.source.replace('): tf.Tensor {', '): tf.Tensor {{') })),
    };
    const { pairs, unread } = similarPairs(
      [{ student: 'deep', cells: deep }, work('a', solved), work('b', broken)],
      given,
      0.8,
    );
    expect(unread).toEqual([{ student: 'deep', reason: 'nested too deep to be read' }]);
    expect(pairs).toHaveLength(1);
  });

  // two of these alone would take minutes: what repeats itself is compared place by place
  test('says who wrote too much to be compared, and compares the others', () => {
    const lines = 'const total = [1, 2, 3].map((x) => x * x + 1).reduce((a, b) => a + b, 0);\n'.repeat(19_000);
    const huge = ['p', 'q'].map((student) => ({ student, cells: [{ number: 1, id: 'a', source: lines }] }));
    const { pairs, unread } = similarPairs([...huge, work('a', solved), work('b', solved)], given, 0.8);
    const reason = 'has 1,406,000 characters of own code, and at most 200,000 are compared: look at it yourself';
    expect(unread).toEqual(['p', 'q'].map((student) => ({ student, reason })));
    expect(pairs.map(({ left, right }) => [left, right])).toEqual([['a', 'b']]);
  });

  test('a chapter of this course is far from that', () => {
    expect(solved.cells.reduce((sum, { source }) => sum + source.length, 0)).toBeLessThan(100_000);
  });
});

describe('exercise by exercise', () => {
  const FUNCTIONS = [
    'logNormal',
    'responsibilities',
    'mStep',
    'emLoop',
    'chooseComponents',
    'sampleMixture',
    'logMixture',
  ];
  const compared = (a: Notebook, b: Notebook) =>
    similarPairs([work('a', a), work('b', b)], given, 0, FUNCTIONS).pairs[0]!;
  const code = (notebook: Notebook, edit: (source: string) => string): Notebook => ({
    ...notebook,
    cells: notebook.cells.map((cell) => (cell.cell_type === 'code' ? { ...cell, source: edit(cell.source) } : cell)),
  });
  const isExercise = (source: string) => FUNCTIONS.some((name) => source.includes(`function ${name}(`));
  const junk = Array.from(
    { length: 300 },
    (_, i) => `const junk${i} = [${i}, 'x'].map((v) => v + ${i}).join(${i % 7});`,
  );
  const [first] = solved.cells.filter(({ cell_type }) => cell_type === 'code');
  /** After each line that ends a statement in a function: variables that nothing reads, and values that nobody takes. */
  const watered = (source: string) =>
    isExercise(source)
      ? source.replace(/;\n(?=  +\w)/g, ';\n  const idle = [1, 2].map((v) => v * 2);\n  void 0;\n').replace(
          /const idle\b/g,
          (
            (n) => () =>
              `const idle${n++}`
          )(0),
        )
      : source;

  /** Each exercise's body as a text that is given to `eval`. */
  const evaluated = (source: string, textOf: (body: string) => string): string => {
    if (!isExercise(source)) return source;
    const open = /\{\n(?=  )/.exec(source)!.index + 2;
    const close = source.lastIndexOf('\n}');
    return `${source.slice(0, open)}  return eval(${textOf(`(() => {${source.slice(open, close)}})()`)});${source.slice(close)}`;
  };
  const inPieces = (body: string) =>
    body
      .match(/[^]{1,60}/g)!
      .map((piece) => JSON.stringify(piece))
      .join(' +\n    ');

  test.each([
    ['a cell of junk', { ...solved, cells: [...solved.cells, { ...first!, source: junk.join('\n') }] }],
    ['statements that do nothing between the lines', code(solved, watered)],
    [
      'methods written as functions',
      code(solved, (source) => source.replace(/\b([a-z]\w*)\.(sub|mul|add|div)\((\w+)\)/g, 'tf.$2($1, $3)')),
    ],
    [
      'two exercises among one’s own',
      {
        ...loops,
        cells: loops.cells.map((cell) => {
          const name = ['mStep', 'emLoop'].find((one) => cell.source.includes(`function ${one}(`));
          return name ? solved.cells.find(({ source }) => source.includes(`function ${name}(`))! : cell;
        }),
      },
    ],
    ['another layout, other names, the cells in reverse', disguised(solved)],
    ['bodies in texts that are evaluated', code(solved, (source) => evaluated(source, (body) => JSON.stringify(body)))],
    ['such texts in pieces', code(solved, (source) => evaluated(source, inPieces))],
  ])('a copy is found in spite of %s', (_, copy) => {
    expect(compared(solved, copy).similarity).toBeGreaterThan(0.6);
  });

  test('people who did not see each other’s work stay apart, and so do untouched notebooks', () => {
    for (const [a, b] of [
      [loops, algebra],
      [loops, solved],
      [algebra, solved],
    ] as const)
      expect(compared(a, b).similarity).toBeLessThan(0.3);
    expect(compared(released, released).similarity).toBe(0);
  });

  test('texts that say something are texts, though they share words', () => {
    const said = (name: string): Work => ({
      student: name,
      cells: [
        {
          number: 1,
          id: 'a',
          source: Array.from(
            { length: 40 },
            (_, i) =>
              `console.log('the loss of model ${i} after training is given in nats, less is better', ${name}${i});`,
          ).join('\n'),
        },
      ],
    });
    const tokens = tokensOf(said('a').cells[0]!.source)!.tokens;
    expect(tokens.filter((token) => token === 'text')).toHaveLength(40);
  });

  test('a text of code is its tokens, at its place, however it is put together', () => {
    const code = 'const a = x.sub(y).square(); return a.sum(1).div(-2);';
    const plain = tokensOf(code)!.tokens;
    for (const text of [`'${code}'`, `\`${code}\``, `('${code.slice(0, 9)}' + '${code.slice(9)}')`]) {
      const { tokens, regions } = tokensOf(`f(1,\n  ${text})`)!;
      expect(tokens).toEqual(['name', '(', '1', ',', ...plain, ')']);
      expect(regions.slice(4, -1).every(({ startRow }) => startRow === 1)).toBe(true);
      expect(regions).toHaveLength(tokens.length);
    }
  });

  // trying the rest of a sum from each of its terms, or climbing up from each, would take minutes
  test.each([
    ['texts that are no code', "'the loss is not so far off today'", 5_000, 'text'],
    ['names', 'b', 50_000, 'name'],
  ])('a long sum of %s is read once', (_, term, count, word) => {
    const { tokens } = tokensOf(`const a = ${Array.from({ length: count }, () => term).join(' + ')};`)!;
    expect(tokens).toHaveLength(2 * count + 3);
    expect(tokens.filter((token) => token === word)).toHaveLength(count + Number(word === 'name'));
  });

  test('what does nothing is blank, and what does something stays', () => {
    const text =
      'function f(x) {\n  const a = 1;\n  const b = a;\n  void 0;\n  x + 1;\n  x += 1;\n  g(x);\n  return x;\n}';
    expect(withoutIdle(text).replace(/ +$/gm, '')).toBe('function f(x) {\n\n\n\n\n  x += 1;\n  g(x);\n  return x;\n}');
  });
});

describe('the command', () => {
  let scratch = '';
  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'similarity-'));
    await mkdir(join(scratch, 'class', 'group'), { recursive: true });
    await mkdir(join(scratch, 'empty'));
    const files = { ada: solved, 'group/bob': disguised(solved), cy: loops, dee: released };
    for (const [name, notebook] of Object.entries(files))
      await writeFile(join(scratch, 'class', `${name}.ipynb`), JSON.stringify(notebook));
    await writeFile(join(scratch, 'class', 'eve.ipynb'), 'not a notebook');
    const fixture = { ...released, metadata: { dgm: { chapter: '90-fixture' } } };
    await mkdir(join(scratch, 'mixed'));
    await writeFile(join(scratch, 'mixed', 'a.ipynb'), JSON.stringify(released));
    await writeFile(join(scratch, 'mixed', 'b.ipynb'), JSON.stringify(fixture));
  });
  afterAll(() => rm(scratch, { recursive: true }));

  const similarity = (...args: string[]) => {
    const bin = join(ROOT, 'grader/bin/grade.mjs');
    const { status, stdout, stderr } = spawnSync(process.execPath, [bin, 'similarity', ...args], { encoding: 'utf8' });
    return { status, stdout, stderr };
  };

  test('prints a table of pairs, and says who is left out', () => {
    const { status, stdout, stderr } = similarity(join(scratch, 'class'));
    expect(stdout).toMatch(/^\d+ %  ada  ~  group\/bob {2}in \w+\n {2}\d+ tokens: cell \d+, line/);
    expect(stdout).toContain('4 notebooks, 1 pairs with a similarity of 0.4 or more');
    expect(stderr).toContain('Left out: eve: not JSON');
    expect(status).toBe(0);
  });

  test('prints JSON', () => {
    const report = JSON.parse(similarity(join(scratch, 'class'), '--json', '--threshold', '0').stdout);
    expect(report).toMatchObject({ version: 1, chapter: '03-mixtures', threshold: 0 });
    expect(report.pairs).toHaveLength(6);
    expect(report.pairs[0].fragments[0]).toMatchObject({
      left: { cell: expect.any(Number), text: expect.any(String) },
    });
    expect(report.leftOut).toHaveLength(1);
  });

  test.each([
    [['/nowhere'], 'no such file or directory'],
    [['empty'], 'no notebook here says which chapter it is'],
    [['mixed'], 'the notebooks are of 03-mixtures and 90-fixture; choose one with --chapter'],
    [['class', '--chapter', '98'], "there is no chapter '98'"],
    [['class', '--threshold', '2'], 'It must be a number from 0 to 1.'],
    [['class', '--threshold', ''], 'It must be a number from 0 to 1.'],
  ])('refuses %j', ([folder, ...more], message) => {
    const { status, stderr } = similarity(folder!.startsWith('/') ? folder! : join(scratch, folder!), ...more);
    expect(stderr).toContain(message);
    expect(status).toBe(1);
  });

  test('has help with an example', () => {
    expect(similarity('--help').stdout).toContain('\nExample: npx grade similarity ');
  });
});
