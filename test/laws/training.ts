/** Laws of objectives, and of training on them. */
import * as tf from '@tensorflow/tfjs';
import { adam, type Batch, createRng, evaluate, fit, type GenerativeModel, sgd, variablesOf } from 'dgm';
import { expect } from 'vitest';
import { createSteppers } from '../../lib/engine/step/step';
import { dot, expectClose, mean, read, standardError } from '../helpers';
import { hasLogProb, isBound, isExact, type Law } from './law';
import { dataOf, knownLogProb, lively, scores, total, worldOf, type Specimen } from './specimen';

/** Whether there is one objective, and what it is said to be. */
const estimates = ({ objectives }: GenerativeModel, what: 'nll' | 'bound') =>
  objectives.length === 1 && objectives[0]!.estimates === what;

export const trainingLaws: readonly Law[] = [
  {
    name: 'a step of an objective moves every variable it lists, and no other',
    async check(specimen) {
      const model = lively(specimen);
      const batch = dataOf(specimen, 50);
      for (const objective of model.objectives) {
        const before = variablesOf(model).map((variable) => Array.from(variable.dataSync()));
        const steppers = createSteppers([objective], sgd(0.1));
        await steppers.each[0]!.step(batch, createRng('step'), 'this law');
        steppers.write();
        await steppers.dispose();
        variablesOf(model).forEach((variable, i) => {
          const moved = variable.dataSync().some((value, j) => value !== before[i]![j]);
          const who = `'${objective.name}': variable ${i} of shape [${variable.shape.join(', ')}] moved`;
          expect(moved, who).toBe(objective.variables.includes(variable));
        });
      }
    },
  },
  {
    name: 'the gradient of the loss is its slope',
    async check(specimen) {
      const model = lively(specimen);
      const batch = dataOf(specimen, 20);
      for (const { loss, variables, gradient: kind } of model.objectives) {
        if (kind === 'surrogate') continue;
        const value = () => tf.tidy(() => loss(batch, createRng('loss')));
        for (const variable of variables) {
          const gradient = read(tf.variableGrads(value as () => tf.Scalar, [variable]).grads[variable.name]!);
          for (const direction of [gradient, read(createRng('direction').normal([variable.size]))]) {
            const unit = direction.map((v) => v / Math.sqrt(dot(direction, direction)));
            expectSlope(dot(gradient, unit), (h) => slopeAlong(variable, unit, () => read(value())[0]!, h));
          }
        }
      }
    },
  },
  {
    name: 'the loss is the mean of −log p',
    appliesTo: (model) => isExact(model) && estimates(model, 'nll'),
    async check(specimen) {
      const model = lively(specimen);
      const batch = dataOf(specimen, 50);
      const loss = read(model.objectives[0]!.loss(batch, createRng('loss')))[0]!;
      expectClose([loss], [-mean(scores(model, batch.x))], { absolute: 1e-5, relative: 1e-5 });
    },
  },
  {
    name: 'a loss that estimates a bound is not below the mean of −log p',
    appliesTo: (model, { exact, support }) =>
      isBound(model) && estimates(model, 'bound') && (exact !== undefined || support.kind === 'discrete'),
    async check(specimen) {
      const model = lively(specimen);
      const drawn = (batch: Batch, count: number) =>
        Array.from({ length: count }, (_, i) => read(model.objectives[0]!.loss(batch, createRng(i)))[0]!);
      const logProb = knownLogProb(specimen, model);
      if (logProb) {
        const x = model.sample({ count: 1000, rng: createRng('own') }); // where it puts its mass, and a mistake would show
        const losses = drawn({ x }, 50);
        expect(mean(losses) + 5 * standardError(losses)).toBeGreaterThan(-mean(logProb(x)));
        return;
      }
      // of one example, exp(−E loss) ≤ p, whose sum over the world is 1; that of a sum of means errs by Σ p · error
      const rows = worldOf(specimen.support, model).rows();
      const each = rows.map((row) => drawn({ x: tf.tensor(row, [1, ...model.eventShape]) }, 30));
      const p = each.map((losses) => Math.exp(-mean(losses)));
      const error = total(each.map((losses, i) => p[i]! * standardError(losses)));
      expect(total(p)).toBeLessThan(1 + 1e-5 + 5 * error);
    },
  },
  {
    name: 'a short training lowers the validation loss',
    appliesTo: hasLogProb,
    async check(specimen) {
      const model = specimen.create(createRng('learner'));
      const data = { train: dataOf(specimen, 200), validation: dataOf(specimen, 200, 'validation') };
      const before = lossOn(specimen, model, data.validation);
      const { batchSize, learningRate } = specimen;
      const epochs = Math.ceil((60 * batchSize) / 200);
      await fit(model, data, { epochs, batchSize, optimiser: adam(learningRate), rng: createRng('fit'), quiet: true });
      expect(lossOn(specimen, model, data.validation)).toBeLessThan(before);
    },
  },
  {
    name: 'compiled training is eager training',
    appliesTo: ({ objectives }) => objectives.length > 0,
    async check(specimen) {
      const losses = async (engine: 'auto' | 'eager') => {
        const model = specimen.create(createRng('learner'));
        const options = { epochs: 3, batchSize: 50, optimiser: sgd(0.01), rng: createRng('fit'), quiet: true, engine };
        return (await fit(model, { train: dataOf(specimen, 120) }, options)).history.map(({ loss }) => loss);
      };
      // nine steps, each with some thousand float32 operations in another order: 10⁻⁷ √1000, and growth by the steps
      expectClose(await losses('auto'), await losses('eager'), { relative: 1e-4, absolute: 1e-4 });
      const model = specimen.create(createRng('learner'));
      const steppers = createSteppers(model.objectives, sgd(0.01));
      for (const stepper of steppers.each) await stepper.step(dataOf(specimen, 20), createRng('step'), 'this law');
      expect(steppers.engine()).toMatch(/^compiled/);
      await steppers.dispose();
    },
  },
];

/** −log p(x) on held-out data; the objectives where they are of labels too, which p(x) leaves out. */
function lossOn({ labels }: Specimen, model: GenerativeModel, batch: Batch): number {
  if (labels === undefined) return evaluate(model, batch, createRng('loss')).nats;
  return total(model.objectives.map(({ loss }) => read(loss(batch, createRng('loss')))[0]!));
}

/**
 * At h = 0.01 rounding of the loss (10⁻⁶ / h) and curvature (h² / 6) both err by some 10⁻⁴. Where the loss bends within
 * that, as at the ends of a spline's bins, the derivative is the limit of shorter steps, down to where rounding takes over.
 */
function expectSlope(derivative: number, slope: (h: number) => number): void {
  const tolerance = { absolute: 2e-3, relative: 0.02 };
  const near = (value: number) =>
    Math.abs(derivative - value) <= tolerance.absolute + tolerance.relative * Math.abs(value);
  const steps = [0.01, 0.002, 0.0005];
  const slopes: number[] = [];
  while (slopes.length < steps.length && !slopes.some(near)) slopes.push(slope(steps[slopes.length]!));
  expectClose([derivative], [slopes.at(-1)!], tolerance);
}

/** (f(v + h u) − f(v − h u)) / 2h, with the variable left as it was. */
function slopeAlong(variable: tf.Variable, unit: readonly number[], f: () => number, h: number): number {
  const start = variable.clone();
  const at = (shift: number) => {
    tf.tidy(() =>
      variable.assign(
        tf
          .tensor([...unit], variable.shape)
          .mul(shift)
          .add(start),
      ),
    );
    return f();
  };
  const slope = (at(h) - at(-h)) / (2 * h);
  variable.assign(start);
  start.dispose();
  return slope;
}
