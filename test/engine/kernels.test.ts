/**
 * Every row of the table of kernels: what is compiled equals what TensorFlow.js computes on its plain CPU backend,
 * values and gradients, over shapes, ranks and types, and where numbers leave their range.
 */
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { kernels } from '../../lib/engine/onnx/kernels/index';
import { program } from '../../lib/engine/trace/program';
import { trace } from '../../lib/engine/trace/trace';
import { expectSame, withGradients, type Case } from './kernels/agreement';
import { choices } from './kernels/choices';
import { elementwise } from './kernels/elementwise';
import { images } from './kernels/images';
import { indexing } from './kernels/indexing';
import { layout } from './kernels/layout';

beforeAll(() => tf.setBackend('cpu'));

/** One list of cases for every row of the table. */
const CASES: Readonly<Record<string, readonly Case[]>> = {
  ...elementwise,
  ...choices,
  ...layout,
  ...indexing,
  ...images,
};

describe.each(Object.keys(kernels))('%s', (kernel) => {
  test('has cases', () => expect(CASES[kernel] ?? []).not.toHaveLength(0));

  (CASES[kernel] ?? []).forEach(({ f, inputs, gradients, ...closeness }, i) => {
    const shapes = inputs.map(({ shape, dtype }) => `${dtype}[${shape.join()}]`).join(' ');
    test(`${i}: ${shapes}`, async () => {
      await expectSame(f, inputs, gradients, closeness);
    });
  });

  test('is what the cases call, or what is made of them', () => {
    const called = new Set<string>();
    for (const { f, inputs, gradients } of CASES[kernel] ?? []) {
      const step = withGradients(f, inputs, gradients);
      const traced = trace((tracer) => step(inputs.map((input) => tracer.input(input))));
      const simplified = program(step, inputs, []).graph;
      [...traced.nodes, ...simplified.nodes].forEach((node) => called.add(node.kernel));
    }
    expect([...called]).toContain(kernel);
  });
});

test('every case belongs to a row', () => expect(Object.keys(CASES).filter((name) => !(name in kernels))).toEqual([]));
