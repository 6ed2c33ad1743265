import * as tf from '@tensorflow/tfjs';
import {
  adaptiveSolver,
  createRng,
  evaluationsPerStep,
  fixedSolver,
  solverStep,
  type Field,
  type SolverName,
} from 'dgm';
import { describe, expect, test } from 'vitest';
import { expectClose, read, tensorsLeft } from '../../helpers';

// dx/dt = −y, dy/dt = x turns; da/dt = t a grows: of all three the solution is known
const turn: Field = ([z, a], t) => {
  const [x, y] = tf.split(z!, 2, 1) as [tf.Tensor, tf.Tensor];
  return [tf.concat([y.neg(), x], 1), a!.mul(t)];
};
const startOf = () => [tf.tensor2d([[1, 0], [0.5, -1]]), tf.tensor1d([1, 2])]; // prettier-ignore
const truth = (t: number) => {
  const [c, s] = [Math.cos(t), Math.sin(t)];
  const grown = Math.exp(t ** 2 / 2);
  return [c, s, 0.5 * c + s, 0.5 * s - c, grown, 2 * grown];
};
const flat = (state: readonly tf.Tensor[]) => state.flatMap((tensor) => read(tensor));
/** Relative, where the truth is above 1. */
const errorOf = (got: readonly number[], t: number) => Math.max(...truth(t).map((value, i) => Math.abs(value - got[i]!) / Math.max(1, Math.abs(value)))); // prettier-ignore

const orders: readonly (readonly [SolverName, order: number, steps: number])[] = [
  ['euler', 1, 64],
  ['heun', 2, 16],
  ['bogacki-shampine', 3, 8],
  ['runge-kutta', 4, 4],
  ['dormand-prince', 5, 2],
];

describe.each(orders)('%s', (name, order, steps) => {
  test('errs by the power of the step that its order says', () => {
    const solve = fixedSolver(turn, name);
    const errors = [steps, 2 * steps].map((count) => errorOf(flat(solve(startOf(), { from: 0, to: 1.5, steps: count })), 1.5)); // prettier-ignore
    const seen = Math.log2(errors[0]! / errors[1]!);
    expect(seen).toBeGreaterThan(order - 0.35);
    expect(seen).toBeLessThan(order + 0.75);
    expect(errors[1]!).toBeGreaterThan(1e-6); // above rounding: the orders are of the method
  });

  test('goes back to where it began', () => {
    const solve = fixedSolver(turn, name);
    const there = solve(startOf(), { from: 0, to: 1, steps: 200 });
    const back = solve(there, { from: 1, to: 0, steps: 200 });
    expectClose(flat(back), flat(startOf()), { absolute: name === 'euler' ? 2e-2 : 1e-4 });
  });

  test('a step by itself is the solver’s', () => {
    const one = solverStep(name, turn)(startOf(), tf.scalar(0.2), tf.scalar(0.1));
    const solved = fixedSolver(turn, name)(startOf(), { from: 0.2, to: 0.3, steps: 1 });
    expectClose(flat(one), flat(solved), { absolute: 1e-6 });
  });

  test('evaluates the field as often as it says', () => {
    let count = 0;
    const counted: Field = (state, t, given) => {
      count++;
      return turn(state, t, given);
    };
    tf.tidy(() => solverStep(name, counted)(startOf(), tf.scalar(0), tf.scalar(0.1)));
    expect(count).toBe(evaluationsPerStep(name));
  });
});

test('compiled is eager, and leaves no tensor', async () => {
  const solve = (engine: 'auto' | 'eager') => {
    const solver = fixedSolver(turn, 'dormand-prince', engine);
    const values = flat(solver(startOf(), { from: 0, to: 2, steps: 5 }));
    return { values, engine: solver.engine() };
  };
  expectClose(solve('auto').values, solve('eager').values, { absolute: 1e-5 });
  expect(solve('auto').engine).toMatch(/^compiled/);
  const state = startOf();
  expect(await tensorsLeft(() => tf.dispose(fixedSolver(turn, 'heun')(state, { from: 0, to: 1, steps: 3 })))).toBe(0);
  expect(await tensorsLeft(() => tf.dispose(adaptiveSolver(turn, { tensors: 2 })(state, { from: 0, to: 1 }).state))).toBe(0);
}); // prettier-ignore

describe.each(['dormand-prince', 'bogacki-shampine'] as const)('%s with a tolerance', (solver) => {
  const solve = adaptiveSolver(turn, { solver, tensors: 2 });
  const at = (tolerance: number) => {
    const { state, ...facts } = solve(startOf(), { from: 0, to: 3, relative: tolerance, absolute: tolerance });
    return { error: errorOf(flat(state), 3), ...facts };
  };

  test('keeps it, and pays for it', () => {
    const [rough, fine] = [at(1e-3), at(1e-5)];
    // the tolerance is of one step; over the path errors add up
    expect(rough.error).toBeLessThan(0.03);
    expect(fine.error).toBeLessThan(1e-3);
    expect(fine.error).toBeLessThan(0.2 * rough.error);
    expect(fine.evaluations).toBeGreaterThan(rough.evaluations);
    expect(fine.times[0]).toBe(0);
    expect(fine.times.at(-1)).toBeCloseTo(3, 6);
    expect(fine.times.every((t, i) => i === 0 || t > fine.times[i - 1]!)).toBe(true);
  });

  test('counts the evaluations that were made', () => {
    let count = 0;
    const counted: Field = (state, t, given) => {
      count++;
      return turn(state, t, given);
    };
    const { state, evaluations } = adaptiveSolver(counted, { solver, tensors: 2, engine: 'eager' })(startOf(), { from: 0, to: 3 }); // prettier-ignore
    tf.dispose(state);
    expect(evaluations).toBe(count);
  });

  test('takes short steps where the field is quick, and long ones where it rests', () => {
    const bump: Field = ([z], t) => [z!.mul(0).add(tf.exp(t.sub(0.5).div(0.1).square().neg()))];
    const { state, times, rejected } = adaptiveSolver(bump, { solver })([tf.zeros([1])], { from: 0, to: 1 });
    expectClose(flat(state), [0.1 * Math.sqrt(Math.PI)], { absolute: 1e-4 });
    const lengths = times.slice(1, -1).map((t, i) => t - times[i]!); // without the last, which is cut to the end
    expect(Math.max(...lengths)).toBeGreaterThan(2 * Math.min(...lengths));
    expect(rejected).toBeGreaterThan(0);
  });

  test('goes backwards in time, and each example is within its tolerance, whoever is beside it', () => {
    const back = solve(startOf(), { from: 2, to: 0 });
    const grown = Math.exp(-2);
    expectClose(read(back.state[1]!), [grown, 2 * grown], { absolute: 1e-4 });
    tf.dispose(back.state[0]!);
    const decay: Field = ([z], _, [rate]) => [z!.mul(rate!).neg()];
    const slow = adaptiveSolver(decay, { solver });
    const many = tf.tidy(() => tf.concat([tf.fill([1], 20), tf.fill([999], 0.01)]));
    const { state } = slow([tf.ones([1000])], { from: 0, to: 0.2 }, [many]);
    expectClose([read(state[0]!)[0]!], [Math.exp(-4)], { absolute: 1e-3 });
  });
});

describe('what it does not take', () => {
  test('a solver that there is not', () => {
    expect(() => solverStep('rk45' as SolverName, turn)).toThrow("solver: expected euler, heun, runge-kutta, bogacki-shampine, dormand-prince, got 'rk45'"); // prettier-ignore
    expect(() => adaptiveSolver(turn, { solver: 'heun' as never })).toThrow("'heun' does not tell its error");
    expect(() => fixedSolver(turn, 'heun')(startOf(), { from: 0, to: 1, steps: 0 })).toThrow('steps must be an integer ≥ 1'); // prettier-ignore
    expect(() => adaptiveSolver(turn)(startOf(), { from: 0, to: 1 })).toThrow('a state of 1 tensors, got 2');
  });

  test('a field that runs away', () => {
    const away: Field = ([z]) => [z!.square()];
    const solve = adaptiveSolver(away);
    expect(() => solve([tf.ones([1])], { from: 0, to: 2 })).toThrow('no step is short enough');
  });
});

test('the solver draws nothing', () => {
  const drift: Field = ([z]) => [z!.neg()];
  const x = createRng(1).normal([3, 2]);
  const solve = fixedSolver(drift, 'heun');
  const twice = [0, 1].map(() => flat(solve([x], { from: 0, to: 1, steps: 4 })));
  expect(twice[0]).toEqual(twice[1]);
});
