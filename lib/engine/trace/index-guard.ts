/** Guards for operations that pick or put by index. */
import { boundsIn, type Bounds } from '../graph/bounds';
import { sizeOf, type Graph, type Node, type Value } from '../graph/graph';
import { requirePlaces, type IndexCheck } from '../graph/indices';
import type { Indices, NamedOperands } from '../onnx/kernel';
import { kernels } from '../onnx/kernels/index';
import type { OnnxBuilder } from '../onnx/onnx';
import { TraceError } from './trace';

/**
 * Indices without a place are moved to the nearest one, so that no device reads or writes where nothing is; the least
 * and the largest of them are an output, and the run's result is not given out unless they lie within. Indices that
 * are known to, are left alone; those that several operations share are looked at once.
 */
export function indexGuard(b: OnnxBuilder, graph: Graph, nameOf: (value: Value) => string) {
  const bounds = boundsIn(graph);
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map(({ id }) => [id, node] as const)));
  const guarded = new Map<string, string>();
  const checks: IndexCheck[] = [];
  const extremes: string[] = [];

  const within = (node: Node, inputs: NamedOperands): NamedOperands => {
    const rule = kernels[node.kernel]!.indices?.(node.inputs as Readonly<Record<string, Value>>, node.attrs);
    const indices = rule && (node.inputs[rule.operand] as Value);
    if (!rule || sizeOf(indices!.shape) === 0) return inputs;
    const check = { call: rule.call, places: rule.places, site: node.site };
    const known = bounds(indices!);
    if (known && isWithin(known, rule)) return inputs;
    if (known) refuse(check, known);
    const source = beforeReshapes(indices!, makers);
    const key = `${source.id} ${rule.places.join()}`;
    if (!guarded.has(key)) guarded.set(key, guard(source, check));
    const safe = b.reshape(guarded.get(key)!, indices!.shape);
    return { ...inputs, [rule.operand]: { ...indices!, name: safe } };
  };

  function guard(indices: Value, check: IndexCheck): string {
    const { places } = check;
    const x = b.reshape(nameOf(indices), [-1, places.length]);
    for (const op of ['ReduceMin', 'ReduceMax']) extremes.push(b.op(op, [x, b.ints([0])], { keepdims: 0 }));
    checks.push(check);
    const last = b.constant(
      places.map((count) => Math.max(0, count - 1)),
      'int32',
    );
    return b.op('Max', [b.op('Min', [x, last]), b.constant(0, 'int32')]);
  }

  const output = () => {
    if (extremes.length === 0) return undefined;
    const shape = [2 * checks.reduce((sum, { places }) => sum + places.length, 0)];
    return { name: 'indices', shape, dtype: 'int32', value: b.op('Concat', extremes, { axis: 0 }) } as const;
  };
  return { within, output, checks };
}

const isWithin = ([least, largest]: Bounds, { places }: Indices): boolean =>
  least >= 0 && places.every((count) => largest < count);

/** With one coordinate it is known which index is wrong; with several, whoever runs the code eagerly finds out. */
function refuse(check: IndexCheck, known: Bounds): void {
  if (check.places.length > 1) return;
  try {
    requirePlaces(check, [known[0]], [known[1]]);
  } catch (error) {
    throw new TraceError((error as Error).message, '');
  }
}

function beforeReshapes(value: Value, makers: ReadonlyMap<number, Node>): Value {
  const maker = makers.get(value.id);
  if (!maker || !/^(Identity|Reshape|ExpandDims)$/.test(maker.kernel)) return value;
  return beforeReshapes(Object.values(maker.inputs)[0] as Value, makers);
}
