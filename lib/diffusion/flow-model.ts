/** A continuous flow as a model of data: real numbers, or integers made real by noise. */
import * as tf from '@tensorflow/tfjs';
import { dequantise, dequantised } from '../bijections/dequantisation';
import { chain, standardise } from '../bijections/layers';
import type { Bijection, GenerativeModel, Likelihood, Objective, Rng, Sampler } from '../core/model';
import { eventRows } from '../core/tensor';
import type { ContinuousFlow, DivergenceName } from './continuous-flow';

/** Where data lie, and what is said of them. */
export interface FlowData {
  readonly eventShape: readonly number[];
  /** Data are integers 0 … values − 1, made real by noise; null: they are real numbers. */
  readonly values: number | null;
  /** The flow sees (x − centre) / scale. */
  readonly centre: number;
  readonly scale: number;
  /** Of the likelihood: 'exact', or an unbiased estimate of ln p, which costs D times less. */
  readonly divergence: DivergenceName;
}

export interface DataCoordinates {
  /** [B, ...event] → [B, D], as the flow sees it. @throws where x has another shape */
  rowsOf(x: tf.Tensor): tf.Tensor;
  /** And back: [B, D] → [B, ...event]; whole numbers where data are. */
  eventsOf(rows: tf.Tensor): tf.Tensor;
}

export function dataCoordinates({ eventShape, values, centre, scale }: FlowData, where: string): DataCoordinates {
  return {
    rowsOf: (x) => tf.tidy(() => eventRows(`${where}: x`, x, eventShape).sub(centre).div(scale)),
    eventsOf: (rows) =>
      tf.tidy(() => {
        const x = rows
          .mul(scale)
          .add(centre)
          .reshape([-1, ...eventShape]);
        return values === null ? x : x.floor().clipByValue(0, values - 1);
      }),
  };
}

export interface FlowModelParts {
  readonly flow: ContinuousFlow;
  /** Of real x. */
  readonly objective: Objective;
  readonly where: string;
}

/**
 * The contract: an exact density where the divergence is exact, up to the solver's error; else an estimate of ln p(x)
 * without bias. Of integers a lower bound in either case, since the mean over the noise of ln p(x + u) is one.
 */
export function flowModel<S extends Sampler>(
  data: FlowData,
  { flow, objective, where }: FlowModelParts,
  sample: S,
): GenerativeModel & { readonly sample: S; readonly bijection: Bijection } {
  const { eventShape, values, centre, scale } = data;
  const bijection = chain(standardise(centre, scale), flow.bijection);
  const density = (divergence: DivergenceName) => (x: tf.Tensor, rng: Rng) =>
    tf.tidy(() => {
      const rows = dataCoordinates({ ...data, values: null }, where).rowsOf(x);
      return flow.logProb(rows, rng, { divergence }).sub(rows.shape[1]! * Math.log(scale));
    });
  const contract = { eventShape, objectives: [objective], bijection, sample };
  const exact: GenerativeModel = { ...contract, likelihood: { kind: 'exact', logProb: density('exact') } };
  const cheap = density('hutchinson');
  if (values === null) {
    const estimate: Likelihood = { kind: 'estimate', logProb: cheap };
    return { ...contract, likelihood: data.divergence === 'exact' ? exact.likelihood : estimate };
  }
  const { likelihood, objectives } = dequantised(exact, { values });
  if (data.divergence === 'exact' || !('logProb' in likelihood)) return { ...contract, likelihood, objectives };
  return {
    ...contract,
    objectives,
    likelihood: {
      kind: 'lower-bound',
      logProb: (x, rng) => tf.tidy(() => cheap(dequantise(x, rng.fork('dequantise')), rng)),
      // exp of an estimate without bias is too large on average: ln w needs the exact divergence
      logWeights: (x, draws, rng) =>
        tf.tidy(() => likelihood.logProb(tf.tile(x, [draws, ...eventShape.map(() => 1)]), rng).reshape([draws, -1])),
    },
  };
}
