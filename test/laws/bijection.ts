/** Laws of models that declare the bijection they are made of. */
import * as tf from '@tensorflow/tfjs';
import { createRng, type GenerativeModel, logAbsDet, numericalJacobian, sizeOf } from 'dgm';
import { expect } from 'vitest';
import { expectClose, read } from '../helpers';
import type { Law } from './law';
import { lively, rowsOf, type Specimen } from './specimen';

const hasBijection = ({ bijection }: GenerativeModel) => bijection !== undefined;

export const bijectionLaws: readonly Law[] = [
  {
    name: 'a bijection goes there and back',
    appliesTo: hasBijection,
    async check(specimen) {
      const model = lively(specimen);
      const x = pointsOf(specimen, model, 200);
      const { z, logDet } = model.bijection!.toLatent(x);
      expect([z.shape, logDet.shape]).toEqual([x.shape, [200]]);
      const again = model.bijection!.toData(z);
      // float32 within some layers; where one is flat its inverse is steep. Integers are exact
      const tolerance = model.bijection!.of === 'integers' ? {} : { absolute: 2e-3, relative: 2e-3 };
      expectClose(again.dataSync(), x.dataSync(), tolerance);
      expectClose(model.bijection!.toLatent(again).z.dataSync(), z.dataSync(), tolerance);
      const different = (rows: readonly number[][]) => new Set(rows.map((row) => row.join())).size;
      if (model.bijection!.of === 'integers') expect(different(rowsOf(z))).toBe(different(rowsOf(x)));
    },
  },
  {
    name: 'the log-determinant is that of the numerical Jacobian',
    appliesTo: hasBijection,
    async check(specimen) {
      const model = lively(specimen);
      const x = pointsOf(specimen, model, 12);
      const rows = rowsOf(x);
      const logDet = read(model.bijection!.toLatent(x).logDet);
      if (model.bijection!.of === 'integers') return expect(logDet).toEqual(rows.map(() => 0));
      const f = (row: readonly number[]) => read(model.bijection!.toLatent(tf.tensor2d([[...row]])).z);
      const jacobians = rows.map((row) => logAbsDet(numericalJacobian(f, row, 2e-3)));
      // a kink, such as a spline's knot, may lie within the difference: the slope there is between the two sides'
      const off = logDet.filter((value, n) => !(Math.abs(value - jacobians[n]!) < 1e-2));
      expect(off.length, `${logDet.join()} against ${jacobians.join()}`).toBeLessThanOrEqual(1);
    },
  },
];

/** Samples, flattened; within their cells where the bijection is of reals and the data are integers. */
function pointsOf(specimen: Specimen, model: GenerativeModel, count: number): tf.Tensor {
  const inCells = specimen.support.kind === 'discrete' && model.bijection!.of !== 'integers';
  return tf.tidy(() => {
    const x = model.sample({ count, rng: createRng('points') }).reshape([count, sizeOf(model.eventShape)]);
    return inCells ? x.add(createRng('cells').uniform(x.shape)) : x;
  });
}
