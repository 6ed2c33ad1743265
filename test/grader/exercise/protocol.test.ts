import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { createRng } from 'dgm';
import { describe, expect, test } from 'vitest';
import { given, type Value } from '../../../grader/exercise/exercise';
import { decode, encode, LIMITS, ProtocolError } from '../../../grader/exercise/protocol';

/** As values travel: through text. */
const roundTrip = (value: unknown) => decode(JSON.parse(JSON.stringify(encode(value))));

/** A tensor as something that `toEqual` compares. */
function plain(value: Value): unknown {
  if (value instanceof tf.Tensor) return { dtype: value.dtype, shape: value.shape, data: [...value.dataSync()] };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item as Value)]));
}

const shapes = fc.array(fc.nat({ max: 3 }), { maxLength: 4 });
const sizeOf = (shape: readonly number[]) => shape.reduce((size, n) => size * n, 1);
const tensorOf = (dtype: 'float32' | 'int32' | 'bool', numbers: fc.Arbitrary<number>) =>
  shapes.chain((shape) =>
    fc
      .array(numbers, { minLength: sizeOf(shape), maxLength: sizeOf(shape) })
      .map((data) => tf.tensor(data, shape, dtype) as Value),
  );
const tensors = fc.oneof(
  tensorOf('float32', fc.float()),
  tensorOf('int32', fc.integer()),
  tensorOf('bool', fc.nat({ max: 1 })),
);
const arrays = fc.oneof(
  fc.float32Array({ maxLength: 5 }),
  fc.float64Array({ maxLength: 5 }),
  fc.int32Array({ maxLength: 5 }),
  fc.uint8Array({ maxLength: 5 }),
);
const leaves = fc.oneof(fc.constantFrom(undefined, null), fc.boolean(), fc.double(), fc.string(), tensors, arrays);
const values = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaves,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('$', '__proto__', 'constructor')), tie('value'), {
      maxKeys: 4,
    }),
  ),
})).value;

describe('a value', () => {
  test('comes out as it went in', () => {
    fc.assert(
      fc.property(values, (value) => {
        tf.tidy(() => void expect(plain(roundTrip(value))).toEqual(plain(value as Value)));
      }),
    );
  });

  test('keeps NaN, ±∞ and −0 apart', () => {
    for (const number of [NaN, Infinity, -Infinity, -0, 0]) expect(Object.is(roundTrip(number), number)).toBe(true);
    const data = [NaN, Infinity, -Infinity, -0];
    expect([...(roundTrip(tf.tensor1d(data)) as tf.Tensor).dataSync()]).toEqual(data);
  });

  test('that is a stream of noise starts the same stream', () => {
    const rng = createRng(3).fork('a');
    const copy = roundTrip(rng) as unknown as typeof rng;
    expect(copy.key).toBe(rng.key);
    expect([...copy.normal([3]).dataSync()]).toEqual([...rng.normal([3]).dataSync()]);
  });

  test('that is a given function is made where someone can evaluate it, and nowhere else', () => {
    const wire = encode(given('(x) => x + 1'));
    const add = decode(wire, { evaluate: (source) => new Function(`return ${source}`)() }) as unknown as (
      x: number,
    ) => number;
    expect(add(1)).toBe(2);
    expect(() => decode(wire)).toThrow(ProtocolError);
  });

  class Custom {}
  const cyclic: unknown[] = [];
  cyclic.push(cyclic);
  test.each([
    [() => 1, 'the value is a function, which cannot be handed in'],
    [{ a: [1n] }, 'the value.a[0] is a bigint, which cannot be handed in'],
    [new Map(), 'the value is a Map, which cannot be handed in'],
    [[new Custom()], 'the value[0] is a Custom, which cannot be handed in'],
    [new BigInt64Array(1), 'the value is a BigInt64Array, which cannot be handed in'],
    [tf.tensor(['a']), 'the value is a tensor of string'],
    [cyclic, `nested deeper than ${LIMITS.depth} levels`],
    [new Float32Array(LIMITS.bytes / 4), 'too many'],
    [tf.zeros([LIMITS.bytes / 4]), 'too large'],
    [Array(LIMITS.nodes + 1).fill(0), `more than ${LIMITS.nodes} parts`],
  ])('of another kind is refused: %#', (value, message) => {
    expect(() => encode(value)).toThrow(message);
  });

  test('that is a disposed tensor is refused', () => {
    const tensor = tf.zeros([1]);
    tensor.dispose();
    expect(() => encode(tensor)).toThrow('the value is a tensor that has been disposed');
  });
});

describe('a forged answer', () => {
  const base64 = (length: number) => Buffer.alloc(length).toString('base64');
  const tensor = { $: 'tensor', dtype: 'float32', shape: [2], data: base64(8) };
  const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)]);

  test.each([
    ['no kind', {}],
    ['an unknown kind', { $: 'Function', source: 'process.exit()' }],
    ['a kind that every object has', { $: 'constructor' }],
    ['a kind that is no text', { $: ['tensor'] }],
    ['a number that needs no tag', { $: 'number', value: '1' }],
    ['a number that every object has', { $: 'number', value: 'toString' }],
    ['an object without fields', { $: 'object' }],
    ['an object whose fields are a list', { $: 'object', fields: [] }],
    ['a tensor of another type', { ...tensor, dtype: 'float64' }],
    ['a tensor of a type every object has', { ...tensor, dtype: 'toString' }],
    ['a tensor without a shape', { ...tensor, shape: undefined }],
    ['a tensor of negative size', { ...tensor, shape: [-2, -1] }],
    ['a tensor of broken size', { ...tensor, shape: [0.5, 4] }],
    ['a tensor of a shape that is text', { ...tensor, shape: ['2'] }],
    ['a tensor that claims to be huge', { ...tensor, shape: [2 ** 22, 2 ** 22] }],
    ['a tensor of too high a rank', { ...tensor, shape: Array(9).fill(1), data: base64(4) }],
    ['a tensor with too little data', { ...tensor, data: base64(4) }],
    ['a tensor with half a number', { ...tensor, data: base64(6) }],
    ['a tensor without data', { ...tensor, data: 8 }],
    ['an array with half a number', { $: 'Float64Array', data: base64(12) }],
    ['a stream without a key', { $: 'rng' }],
    ['a function that nobody here can call', { $: 'function', kept: 0 }],
    ['nesting without end', deep(LIMITS.depth + 1)],
    ['too many parts', Array(LIMITS.nodes + 1).fill(0)],
  ])('is refused: %s', (_, wire) => {
    expect(() => decode(wire)).toThrow(ProtocolError);
  });

  test('is a value or an error, whatever it is, and never touches prototypes', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (json) => {
        try {
          tf.tidy(() => void decode(json));
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
    );
    decode(JSON.parse('{"$":"object","fields":{"__proto__":{"$":"object","fields":{"polluted":1}}}}'));
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });
});
