/** A graph as text, a line for each value: what a test shows of a failure, and what whoever wonders can read. */
import type { Constant, Graph, Node, Spec, Value } from './graph';

const SHOWN = 12; // numbers of a constant

/**
 * Inputs, constants, operations in order, outputs:
 *
 *     %0: float32 [2, 3] is an input
 *     %1: float32 [] is 0.5
 *     %2: float32 [2, 3] = Multiply(a %0, b %1)   at step (solutions/03-mixtures.ts:12:7)
 *     returns %2
 * @param sites whether to say which line of the model's code asked for each operation
 */
export function printGraph({ inputs, constants, nodes, outputs }: Graph, sites = false): string {
  return [
    ...inputs.map((value) => `${declared(value)} is an input`),
    ...constants.map((constant) => `${declared(constant)} is ${numbersOf(constant)}`),
    ...nodes.map((node) => printNode(node) + (sites && node.site ? `   at ${node.site}` : '')),
    `returns ${outputs.map(named).join(', ')}`,
  ].join('\n');
}

/** One operation: what it makes of what. */
function printNode({ kernel, inputs, attrs, outputs }: Node): string {
  const operands = Object.entries(inputs).flatMap(([name, value]) => (value ? [`${name} ${operand(value)}`] : []));
  const attributes = Object.entries(attrs).flatMap(([name, value]) =>
    value === undefined || value === null ? [] : [`${name}: ${written(value)}`],
  );
  const settings = attributes.length > 0 ? ` { ${attributes.join(', ')} }` : '';
  return `${outputs.map(declared).join(', ')} = ${kernel}(${operands.join(', ')})${settings}`;
}

const printSpec = ({ dtype, shape }: Spec): string => `${dtype} [${shape.join(', ')}]`;

const named = ({ id }: Value): string => `%${id}`;
const declared = (value: Value): string => `${named(value)}: ${printSpec(value)}`;
const operand = (value: Value | readonly Value[]): string =>
  'id' in value ? named(value) : `[${value.map(named).join(', ')}]`;

function numbersOf({ values, shape }: Constant): string {
  const numbers = Array.from(values.subarray(0, SHOWN), written);
  if (shape.length === 0) return numbers[0]!;
  return `[${numbers.join(', ')}${values.length > SHOWN ? `, … ${values.length} in all` : ''}]`;
}

function written(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(written).join(', ')}]`;
  return Object.is(value, -0) ? '-0' : String(value);
}
