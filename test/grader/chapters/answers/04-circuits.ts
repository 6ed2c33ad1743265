import { answersTo, type TriedAnswers } from './answer';

const SCOPES = (rule: string) => `
  const scopes: Set<number>[] = [];
  for (const [i, unit] of nodes.entries()) {
    if (unit.kind === 'leaf') { scopes.push(new Set([unit.variable])); continue; }
    const below = unit.children.map((c) => scopes[c]!);
    const all = new Set(below.flatMap((s) => [...s]));
    ${rule}
    scopes.push(all);
  }
  return -1;`;

const EVALUATE = (leaf: string, sum: string) => `
  const logs: number[] = [];
  for (const unit of nodes) {
    if (unit.kind === 'leaf') { const v = x[unit.variable]; logs.push(${leaf}); }
    else if (unit.kind === 'product') logs.push(unit.children.reduce((s, c) => s + logs[c]!, 0));
    else { const t = unit.children.map((c, j) => Math.log(unit.weights[j]!) + logs[c]!); ${sum} }
  }
  return logs.at(-1)!;`;
const LEAF = 'v === null || v === undefined ? 0 : Math.log(unit.p[v]!)';
const LSE =
  'const m = Math.max(...t); logs.push(m === -Infinity ? m : m + Math.log(t.reduce((s, v) => s + Math.exp(v - m), 0)));';

const INFORMATION = (term: string) => `
  const N = counts.flat().reduce((a, b) => a + b, 0);
  const row = counts.map((r) => r.reduce((a, b) => a + b, 0));
  const column = counts[0]!.map((_, v) => counts.reduce((s, r) => s + r[v]!, 0));
  let nats = 0;
  counts.forEach((r, u) => r.forEach((c, v) => { if (c > 0) nats += ${term}; }));
  return nats;`;

const LAYER = (finish: string) => `
  const top = a.max(1, true);
  ${finish}`;

const EM_SUM = (counts: string, finish = 'return c.div(c.sum()).log();') => `
  const r = tf.softmax(a.add(logW));
  const c = ${counts};
  ${finish}`;

const WALK = (
  chooseSum: string,
  chooseLeaf = 'pick(unit.p.map(Math.log), u[i]!)',
  known = 'x[unit.variable] === null',
) => `
  const logs: number[] = [];
  for (const unit of nodes) {
    if (unit.kind === 'leaf') { const v = x[unit.variable] ?? null; logs.push(v === null ? 0 : Math.log(unit.p[v]!)); }
    else if (unit.kind === 'product') logs.push(unit.children.reduce((s, c) => s + logs[c]!, 0));
    else { const t = unit.children.map((c, j) => Math.log(unit.weights[j]!) + logs[c]!); const m = Math.max(...t); logs.push(m === -Infinity ? m : m + Math.log(t.reduce((s, v) => s + Math.exp(v - m), 0))); }
  }
  const pick = (l: number[], v: number) => { const m = Math.max(...l); const e = l.map((t) => Math.exp(t - m)); const n = e.reduce((s, t) => s + t); let s = 0; return e.slice(0, -1).filter((t) => v >= (s += t / n)).length; };
  const out = [...x];
  const asked = new Set([nodes.length - 1]);
  for (let i = nodes.length - 1; i >= 0; i--) {
    if (!asked.has(i)) continue;
    const unit = nodes[i]!;
    if (unit.kind === 'product') unit.children.forEach((c) => asked.add(c));
    else if (unit.kind === 'sum') asked.add(unit.children[${chooseSum}]!);
    else if (${known}) out[unit.variable] = ${chooseLeaf};
  }
  return out as number[];`;
const POSTERIOR = 'pick(unit.children.map((c, j) => Math.log(unit.weights[j]!) + logs[c]!), u[i]!)';

export const answers: TriedAnswers = {
  right: [
    ...answersTo(
      'circuit.violation',
      ['sizes', SCOPES('const sizes = below.map((s) => s.size); const bad = unit.kind === "product" ? sizes.reduce((a, b) => a + b, 0) !== all.size : sizes.some((s) => s !== all.size); if (bad) return i;')],
      ['sorted text', SCOPES('const text = (s: Set<number>) => [...s].sort((a, b) => a - b).join(); const bad = unit.kind === "sum" ? below.some((s) => text(s) !== text(all)) : new Set(below.flatMap((s) => [...s])).size < below.flatMap((s) => [...s]).length; if (bad) return i;')],
      ['pair by pair', SCOPES('for (const [p, s] of below.entries()) for (const t of below.slice(p + 1)) { if (unit.kind === "product" && [...s].some((v) => t.has(v))) return i; if (unit.kind === "sum" && (s.size !== t.size || [...s].some((v) => !t.has(v)))) return i; }')],
    ),
    ...answersTo(
      'circuit.evaluate',
      ['a loop', EVALUATE(LEAF, LSE)],
      ['recursion', 'const at = (i: number): number => { const unit = nodes[i]!; if (unit.kind === "leaf") { const v = x[unit.variable]; return v == null ? 0 : Math.log(unit.p[v]!); } if (unit.kind === "product") return unit.children.reduce((s, c) => s + at(c), 0); const t = unit.children.map((c, j) => Math.log(unit.weights[j]!) + at(c)).filter((v) => v > -Infinity); if (t.length === 0) return -Infinity; const m = Math.max(...t); return m + Math.log(t.reduce((s, v) => s + Math.exp(v - m), 0)); }; return at(nodes.length - 1);'],
      ['the logarithm added up pair by pair', EVALUATE(LEAF, 'logs.push(t.reduce((a, b) => { const m = Math.max(a, b); return m === -Infinity ? m : m + Math.log1p(Math.exp(Math.min(a, b) - m)); }, -Infinity));')],
    ),
    ...answersTo(
      'circuit.mutualInformation',
      ['a sum', INFORMATION('(c / N) * Math.log((c * N) / (row[u]! * column[v]!))')],
      ['entropies', 'const h = (c: readonly number[]) => { const n = c.reduce((a, b) => a + b, 0); return c.reduce((s, v) => (v > 0 ? s - (v / n) * Math.log(v / n) : s), 0); }; return h(counts.map((r) => r.reduce((a, b) => a + b, 0))) + h(counts[0]!.map((_, v) => counts.reduce((s, r) => s + r[v]!, 0))) - h(counts.flat());'],
      ['a KL divergence', INFORMATION('(c / N) * (Math.log(c / N) - Math.log(row[u]! / N) - Math.log(column[v]! / N))')],
    ),
    ...answersTo(
      'circuit.spanningTree',
      ['best edge so far of each outside variable', 'const D = weights.length; const parents = new Array<number>(D).fill(0); parents[0] = -1; const w = weights.map((r) => r[0]!); const left = new Set(Array.from({ length: D - 1 }, (_, i) => i + 1)); while (left.size > 0) { let n = -1; for (const d of left) if (n < 0 || w[d]! > w[n]!) n = d; left.delete(n); for (const d of left) if (weights[d]![n]! > w[d]!) { w[d] = weights[d]![n]!; parents[d] = n; } } return parents;'],
      ['Kruskal', 'const D = weights.length; const group = Array.from({ length: D }, (_, i) => i); const edges = []; for (let i = 0; i < D; i++) for (let j = 0; j < i; j++) edges.push([weights[i]![j]!, i, j] as const); edges.sort((a, b) => b[0] - a[0]); const near: number[][] = group.map(() => []); for (const [, i, j] of edges) { const [a, b] = [group[i]!, group[j]!]; if (a === b) continue; group.forEach((g, d) => { if (g === a) group[d] = b; }); near[i]!.push(j); near[j]!.push(i); } const parents = new Array<number>(D).fill(-1); const visit = (d: number, from: number): void => { parents[d] = from; for (const n of near[d]!) if (n !== from) visit(n, d); }; visit(0, -1); return parents;'],
      ['edges sorted anew at every step', 'const parents = weights.map(() => -1); const inside = new Set([0]); while (inside.size < weights.length) { const all = [...inside].flatMap((from) => weights[from]!.map((w, to) => ({ w, from, to }))).filter(({ to }) => !inside.has(to)).sort((a, b) => b.w - a.w); parents[all[0]!.to] = all[0]!.from; inside.add(all[0]!.to); } return parents;'],
    ),
    ...answersTo(
      'circuit.sumLayer',
      ['one product', LAYER('return a.sub(top).exp().matMul(logW.exp().transpose()).log().add(top);')],
      ['log-sum-exp over a third axis', 'return tf.logSumExp(a.expandDims(1).add(logW.expandDims(0)), 2);'],
      ['unit by unit', 'return tf.stack(logW.unstack().map((w) => tf.logSumExp(a.add(w), 1)), 1);'],
    ),
    ...answersTo(
      'circuit.emSum',
      ['a matrix product', 'const r = tf.softmax(a.add(logW)); const c = asked.expandDims(0).matMul(r).squeeze([0]).add(alpha / logW.size); return c.div(c.sum()).log();'],
      ['by the formula', 'const J = logW.shape[0]!; const j = a.add(logW); const r = j.sub(tf.logSumExp(j, 1, true)).exp(); return r.mul(asked.reshape([-1, 1])).sum(0).add(alpha / J).log().sub(asked.sum().add(alpha).log());'],
      ['plain loops', 'const J = logW.size; const A = a.arraySync() as number[][], w = logW.arraySync() as number[], f = asked.arraySync() as number[]; const c = new Array<number>(J).fill(alpha / J); A.forEach((row, n) => { const t = row.map((v, j) => v + w[j]!); const m = Math.max(...t); const e = t.map((v) => Math.exp(v - m)); const s = e.reduce((p, q) => p + q, 0); e.forEach((v, j) => { c[j]! += (f[n]! * v) / s; }); }); const s = c.reduce((p, q) => p + q, 0); return tf.tensor1d(c.map((v) => Math.log(v / s)));'],
    ),
    ...answersTo(
      'circuit.halvesTell',
      ['a table', "return ({ circuit: { 'of one digit': 1, 'of two digits': -1 }, histogram: { 'of one digit': 0, 'of two digits': 0 } } as const)[model][pairs];"],
      ['a switch', "if (model === 'histogram') return 0; if (pairs === 'of two digits') return -1; return 1;"],
      ['signs of divergences', "const sign = pairs === 'of one digit' ? 1 : -1; return (model === 'circuit' ? sign : 0) as -1 | 0 | 1;"],
    ),
    ...answersTo(
      'circuit.complete',
      ['backwards through the list', WALK(POSTERIOR)],
      ['linear scale after the largest', WALK('(() => { const t = unit.children.map((c, j) => Math.log(unit.weights[j]!) + logs[c]!); const m = Math.max(...t); const e = t.map((v) => Math.exp(v - m)); let left = u[i]! * e.reduce((s, v) => s + v, 0); let k = 0; while (k < e.length - 1 && left >= e[k]!) left -= e[k++]!; return k; })()')],
      ['normalised by the unit’s own value', WALK('(() => { let s = 0; const t = unit.children.map((c, j) => Math.exp(Math.log(unit.weights[j]!) + logs[c]! - logs[i]!)); return t.slice(0, -1).filter((v) => u[i]! >= (s += v)).length; })()')],
    ),
    ...answersTo(
      'circuit.choose',
      ['softmax', 'return tf.softmax(a.add(weights.log()));'],
      ['log-sum-exp of tfjs', 'const joint = a.add(weights.log()); return joint.sub(tf.logSumExp(joint, 1, true)).exp();'],
      ['the library’s idiom', 'const joint = a.add(weights.log()); const top = joint.max(1, true); return joint.sub(joint.sub(top).exp().sum(1, true).log().add(top)).exp();'],
      ['plain loops', 'const w = weights.arraySync() as number[]; return tf.tensor2d((a.arraySync() as number[][]).map((row) => { const t = row.map((v, j) => Math.log(w[j]!) + v); const m = Math.max(...t); const e = t.map((v) => Math.exp(v - m)); const s = e.reduce((p, q) => p + q, 0); return e.map((v) => v / s); }));'],
    ),
    ...answersTo(
      'circuit.predictedKl',
      ['case by case', "if (world === 'independent') return 0; if (world === 'copies') return model === 'tree' ? 0 : (coins - 1) * Math.LN2; return model === 'tree' && coins === 2 ? 0 : Math.LN2;"],
      ['entropies', "const H = world === 'copies' ? 1 : world === 'independent' ? coins : coins - 1; const edge = world === 'copies' || (world === 'even parity' && coins === 2) ? 1 : 0; return Math.LN2 * (coins - H - (model === 'tree' ? edge * (coins - 1) : 0));"],
      ['rounded', "const n = world === 'copies' ? coins - 1 : world === 'independent' ? 0 : 1; const saved = model === 'histogram' ? 0 : world === 'copies' ? coins - 1 : world === 'even parity' && coins === 2 ? 1 : 0; return Number(((n - saved) * 0.6931).toFixed(4));"],
    ),
  ],

  wrong: [
    ...answersTo(
      'circuit.violation',
      ['smoothness alone', SCOPES('if (unit.kind === "sum" && below.some((s) => s.size !== all.size)) return i;'), 'no product of independent parts'],
      ['decomposability alone', SCOPES('if (unit.kind === "product" && below.reduce((a, s) => a + s.size, 0) !== all.size) return i;'), 'not smooth'],
      ['the last one', `const bad: number[] = []; ${SCOPES('if (unit.kind === "product" ? below.reduce((a, s) => a + s.size, 0) !== all.size : below.some((s) => s.size !== all.size)) bad.push(i);').replace('return -1;', 'return bad.at(-1) ?? -1;')}`],
      ['the scope in order', SCOPES('const t = (s: Set<number>) => [...s].join(); if (unit.kind === "product" ? below.reduce((a, s) => a + s.size, 0) !== all.size : below.some((s) => t(s) !== t(below[0]!))) return i;'), 'a scope is'],
      ['always right', 'return -1;'],
    ),
    ...answersTo(
      'circuit.evaluate',
      ['MPE', EVALUATE(LEAF, 'logs.push(Math.max(...t));'), 'most probable way'],
      ['missing is 0', EVALUATE('Math.log(unit.p[v ?? 0]!)', LSE), 'not the value 0'],
      ['missing is the mean', EVALUATE('v === null || v === undefined ? -Math.log(unit.p.length) : Math.log(unit.p[v]!)', LSE), 'mean'],
      ['no shift', EVALUATE(LEAF, 'logs.push(Math.log(t.reduce((s, v) => s + Math.exp(v), 0)));'), 'stay in logarithms'],
      ['NaN for the impossible', EVALUATE(LEAF, 'const m = Math.max(...t); logs.push(m + Math.log(t.reduce((s, v) => s + Math.exp(v - m), 0)));'), 'NaN'],
      ['unweighted', EVALUATE(LEAF, 'const l = unit.children.map((c) => logs[c]!); const m = Math.max(...l); logs.push(m === -Infinity ? m : m + Math.log(l.reduce((s, v) => s + Math.exp(v - m), 0) / l.length));'), 'no plain mean'],
      ['p itself', EVALUATE(LEAF, LSE).replace('logs.at(-1)!;', 'Math.exp(logs.at(-1)!);'), 'its logarithm'],
      ['two children', EVALUATE(LEAF, 'const [p, q] = [t[0]!, t[1] ?? -Infinity]; const m = Math.max(p, q); logs.push(m === -Infinity ? m : m + Math.log(Math.exp(p - m) + Math.exp(q - m)));')],
    ),
    ...answersTo(
      'circuit.mutualInformation',
      ['bits', INFORMATION('(c / N) * Math.log2((c * N) / (row[u]! * column[v]!))'), 'natural logarithms'],
      ['no N in the logarithm', INFORMATION('(c / N) * Math.log(c / (row[u]! * column[v]!))'), 'no frequencies'],
      ['no N before it', INFORMATION('c * Math.log((c * N) / (row[u]! * column[v]!))'), 'divide the count by N'],
      ['the wrong axis', INFORMATION('(c / N) * Math.log((c * N) / (row[u]! * (row[v] ?? 1)))')],
      ['smoothed', INFORMATION('((c + 1) / N) * Math.log((c * N) / (row[u]! * column[v]!))')],
      ['a joint entropy', INFORMATION('-(c / N) * Math.log(c / N)'), 'joint entropy'],
    ),
    ...answersTo(
      'circuit.spanningTree',
      ['a star', 'return weights.map((_, d) => (d === 0 ? -1 : 0));', 'not everything'],
      ['a chain in order', 'return weights.map((_, d) => d - 1);'],
      ['a greedy chain', 'const way = [0]; const parents = weights.map(() => -1); while (way.length < weights.length) { let b = -1; weights[way.at(-1)!]!.forEach((w, d) => { if (!way.includes(d) && (b < 0 || w > weights[way.at(-1)!]![b]!)) b = d; }); parents[b] = way.at(-1)!; way.push(b); } return parents;', 'a chain'],
      ['from above 0', 'const parents = weights.map(() => -1); const inside = [0]; for (let s = 1; s < weights.length; s++) { let b = { w: 0, f: -1, t: -1 }; for (const f of inside) weights[f]!.forEach((w, t) => { if (!inside.includes(t) && w > b.w) b = { w, f, t }; }); if (b.t < 0) break; parents[b.t] = b.f; inside.push(b.t); } return parents;', 'still hangs somewhere'],
      ['the lightest', 'const parents = weights.map(() => -1); const inside = [0]; while (inside.length < weights.length) { let b = { w: Infinity, f: -1, t: -1 }; for (const f of inside) weights[f]!.forEach((w, t) => { if (!inside.includes(t) && w < b.w) b = { w, f, t }; }); parents[b.t] = b.f; inside.push(b.t); } return parents;'],
      ['everybody’s best neighbour', 'return weights.map((row, d) => (d === 0 ? -1 : row.reduce((b, w, j) => (j !== d && (b < 0 || w > row[b]!) ? j : b), -1)));'],
    ),
    ...answersTo(
      'circuit.sumLayer',
      ['no shift', 'return a.exp().matMul(logW.exp(), false, true).log();', 'the maximum of each example'],
      ['the maximum forgotten', LAYER('return a.sub(top).exp().matMul(logW.exp(), false, true).log();'), 'added back'],
      ['log-weights as weights', LAYER('return a.sub(top).exp().matMul(logW, false, true).log().add(top);')],
      ['one maximum', 'const t = a.max(); return a.sub(t).exp().matMul(logW.exp(), false, true).log().add(t);', 'not of the batch'],
      ['unweighted', 'return tf.logSumExp(a, 1, true).tile([1, logW.shape[0]!]);', 'weights are missing'],
      ['the largest', 'return a.expandDims(1).add(logW.expandDims(0)).max(2);'],
      ['smoothed by 1e-6', LAYER('return a.sub(top).exp().matMul(logW.exp(), false, true).add(1e-3).log().add(top);')],
    ),
    ...answersTo(
      'circuit.emSum',
      ['asked ignored', EM_SUM('r.sum(0).add(alpha / logW.size)'), 'f_n'],
      ['α each', EM_SUM('r.mul(asked.expandDims(1)).sum(0).add(alpha)'), 'shared by the inputs'],
      ['no α', EM_SUM('r.mul(asked.expandDims(1)).sum(0)'), 'imaginary examples'],
      ['divided by N', EM_SUM('r.mul(asked.expandDims(1)).sum(0).add(alpha / logW.size)', 'return c.div(a.shape[0]!).log();')],
      ['weights forgotten', 'const c = tf.softmax(a).mul(asked.expandDims(1)).sum(0).add(alpha / logW.size); return c.div(c.sum()).log();', 'depends on the weights'],
      ['probabilities', EM_SUM('r.mul(asked.expandDims(1)).sum(0).add(alpha / logW.size)', 'return c.div(c.sum());')],
    ),
    ...answersTo(
      'circuit.halvesTell',
      ['always more', 'return 1;', 'put together from two'],
      ['strangers tell nothing', "return model === 'histogram' || pairs === 'of two digits' ? 0 : 1;", 'which sign'],
      ['the model forgotten', "return pairs === 'of one digit' ? 1 : -1;", 'independent'],
      ['nothing', 'return 0;', 'mutual information'],
      ['the other way round', "return model === 'histogram' ? 0 : pairs === 'of one digit' ? -1 : 1;"],
    ),
    ...answersTo(
      'circuit.complete',
      ['evidence ignored', WALK('pick(unit.weights.map(Math.log), u[i]!)'), 'explains the evidence'],
      ['weights ignored', WALK('pick(unit.children.map((c) => logs[c]!), u[i]!)'), 'beforehand'],
      ['MPE', WALK('(() => { const t = unit.children.map((c, j) => Math.log(unit.weights[j]!) + logs[c]!); return t.indexOf(Math.max(...t)); })()', '(() => unit.p.indexOf(Math.max(...unit.p)))()'), 'most probable'],
      ['evidence drawn again', WALK(POSTERIOR, 'pick(unit.p.map(Math.log), u[i]!)', 'true'), 'what is known'],
      ['one number', WALK(POSTERIOR.replace('u[i]!', 'u[nodes.length - 1]!'), 'pick(unit.p.map(Math.log), u[nodes.length - 1]!)')],
      ['the SPFlow bug', WALK('pick(unit.children.map((c, j) => Math.log(Math.max(1e-9, -unit.weights[j]! * logs[c]!))), u[i]!)')],
      ['the mean value', WALK(POSTERIOR, 'Math.round(unit.p.reduce((s, p, v) => s + p * v, 0))')],
    ),
    ...answersTo(
      'circuit.choose',
      ['as given', 'return weights.mul(a);', 'neither'],
      ['normalised', 'const j = weights.mul(a); return j.div(j.sum(1, true));'],
      ['not normalised', 'const j = a.add(weights.log()); return j.sub(j.max(1, true)).exp();', 'divide each row'],
      ['no shift', 'const j = a.exp().mul(weights); return j.div(j.sum(1, true));', 'maximum first'],
      ['likelihood alone', 'return tf.softmax(a);', 'by its weight'],
      ['shifted by a', 'const j = a.sub(a.max(1, true)).exp().mul(weights); return j.div(j.sum(1, true));', 'drowns the others'],
      ['clipped weights', 'return tf.softmax(a.add(weights.add(1e-8).log()));', 'never'],
    ),
    ...answersTo(
      'circuit.predictedKl',
      ['bits', "return world === 'even parity' ? 1 : world === 'copies' && model === 'histogram' ? coins - 1 : 0;", 'nats'],
      ['trees see all', "return model === 'tree' ? 0 : world === 'copies' ? (coins - 1) * Math.LN2 : world === 'even parity' ? Math.LN2 : 0;"],
      ['two coins forgotten', "if (world === 'copies') return model === 'tree' ? 0 : (coins - 1) * Math.LN2; return world === 'independent' ? 0 : Math.LN2;"],
      ['entropies', "return world === 'copies' ? Math.LN2 : world === 'independent' ? coins * Math.LN2 : (coins - 1) * Math.LN2;"],
      ['the page', "return world === 'even parity' ? 0.694 : world === 'copies' && model === 'histogram' ? 4.852 : 0;"],
    ),
  ],
}; // prettier-ignore
