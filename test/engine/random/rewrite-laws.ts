/** For every rule of rewriting, functions whose graphs it matches, and functions whose graphs it all but matches. */
import * as tf from '@tensorflow/tfjs';
import type { DType, Spec } from '../../../lib/engine/graph/graph';

type T = tf.Tensor;

/** Random choices of one case. */
export interface Choices {
  pick(n: number): number;
  /** One of a list. */
  of<A>(list: readonly A[]): A;
  /** Of this rank, or of any up to 3; sides are small, and often equal. */
  shape(rank?: number): number[];
  /** A number that a model may be written with, or an extreme one. */
  number(): number;
}

/** A function of inputs, to be traced. */
export interface Sample {
  readonly inputs: readonly Spec[];
  readonly f: (...x: T[]) => T | readonly T[];
}

export interface Law {
  match(choose: Choices): Sample;
  near(choose: Choices): Sample;
  /** Roundings by which the results may differ. Default: 0. */
  readonly roundings?: number;
}

const floats = (...shapes: (readonly number[])[]): Spec[] => shapes.map((shape) => ({ shape, dtype: 'float32' }));
const sample = (inputs: readonly Spec[], f: Sample['f']): Sample => ({ inputs, f });
const sizeOf = (shape: readonly number[]): number => shape.reduce((n, side) => n * side, 1);

/** A shape that broadcasts to this one, and is smaller. */
function narrow(shape: readonly number[], { pick }: Choices): number[] {
  const sides = shape.map((n) => (pick(2) === 0 ? 1 : n));
  if (sizeOf(sides) === sizeOf(shape)) {
    const wide = shape.findIndex((n) => n > 1);
    if (wide >= 0) sides[wide] = 1;
  }
  return sides.slice(sides[0] === 1 && pick(3) === 0 ? 1 : 0);
}

/** Another shape of the same size. */
function regrouped(shape: readonly number[], { of }: Choices): number[] {
  const size = sizeOf(shape);
  const splits = [2, 3].flatMap((n) => (size % n === 0 ? [[n, size / n], [size / n, n]] : [])); // prettier-ignore
  return of([[size], [1, ...shape], [...shape, 1], ...splits]);
}

const permuted = (rank: number, { pick }: Choices): number[] => {
  const left = Array.from({ length: rank }, (_, i) => i);
  return Array.from({ length: rank }, () => left.splice(pick(left.length), 1)[0]!);
};

const wideShape = (choose: Choices): number[] => {
  const shape = choose.shape(1 + choose.pick(3));
  return sizeOf(shape) > 1 ? shape : [2, ...shape.slice(1)];
};

const BINARY = [
  (x: T, y: T) => x.add(y),
  (x: T, y: T) => x.sub(y),
  (x: T, y: T) => x.mul(y),
  (x: T, y: T) => x.div(y),
] as const;

const scaled = (x: T, by: number, choose: Choices): T =>
  choose.of([() => x.mul(by), () => tf.scalar(by).mul(x), () => x.neg(), () => x.mul(tf.fill(x.shape, by))])();

/** A value spread over a shape, as TensorFlow.js does: by ones. */
const spreadOver = (x: T, shape: readonly number[], { pick }: Choices): T =>
  pick(2) === 0 ? tf.ones([...shape]).mul(x) : x.mul(tf.ones([...shape]));

/** Log-softmax by hand; `keeps` says whether the axes of max and sum are kept, `at` over which they go. */
const byHand = (x: T, keeps: readonly [boolean, boolean], at: readonly [number, number]): T => {
  const shifted = x.sub(x.max(at[0], keeps[0]));
  return shifted.sub(shifted.exp().sum(at[1], keeps[1]).log());
};

export const laws: Readonly<Record<string, Law>> = {
  'a copy is its original': {
    match: (choose) => sample(floats(choose.shape()), (x) => x.clone().square()),
    near: (choose) => sample(floats(choose.shape()), (x) => [x, x.square()]),
  },

  'a cast to the type it has is nothing': {
    match: (choose) => sample(floats(choose.shape()), (x) => tf.cast(x, 'float32').square()),
    near: (choose) =>
      sample(floats(choose.shape()), (x) => tf.cast(tf.cast(x, choose.of<DType>(['int32', 'bool'])), 'float32')),
  },

  'reshapes in a row are one': {
    match: (choose) => {
      const shape = choose.shape();
      const [first, second] = [regrouped(shape, choose), regrouped(shape, choose)];
      return sample(floats(shape), (x) => x.reshape(first).reshape(second).reshape(regrouped(shape, choose)).square());
    },
    near: (choose) => {
      const shape = choose.shape(2);
      return sample(floats(shape), (x) => x.reshape(regrouped(shape, choose)).reshape(shape).transpose().reshape(shape)); // prettier-ignore
    },
  },

  'an axis more is a reshape': {
    match: (choose) => {
      const shape = choose.shape();
      return sample(floats(shape), (x) => x.expandDims(choose.pick(shape.length + 1)));
    },
    near: (choose) => sample(floats(choose.shape(2)), (x) => tf.stack([x, x], choose.pick(3))),
  },

  'rows are spread after a reshape': {
    match: (choose) => {
      const [rows, columns] = [choose.of([1, 2, 3, 4]), choose.of([2, 3, 4, 6])];
      const rank = choose.of([2, 3]);
      const wide = rank === 2 ? [rows, columns] : [rows, columns, 2];
      const next = [rows, ...regrouped(wide.slice(1), choose)];
      return sample(floats([rows, ...wide.slice(1).map(() => 1)]), (x) => spreadOver(x, wide, choose).reshape(next));
    },
    near: (choose) => {
      const n = choose.of([1, 2, 3, 4]);
      const wide = choose.of([[n, n], [n, n, n], [n, 2 * n], [2, n, n], [n, 1, n]]); // prettier-ignore
      const from = choose.of([[n], [1, n], narrow(wide, choose), [n, 1]]);
      if (from.length > wide.length || !fitsInto(from, wide)) return sample(floats([n]), (x) => x);
      const dtype = choose.of<DType>(['float32', 'float32', 'int32']);
      return sample([{ shape: from, dtype }], (x) => tf.ones(wide, dtype).mul(x).reshape(regrouped(wide, choose)));
    },
  },

  'transposes in a row are one': {
    match: (choose) => {
      const shape = choose.shape(choose.of([2, 3]));
      return sample(floats(shape), (x) => x.transpose(permuted(x.rank, choose)).transpose(permuted(x.rank, choose)));
    },
    near: (choose) => {
      const shape = choose.shape(3);
      return sample(floats(shape), (x) => x.transpose(permuted(3, choose)).square().transpose(permuted(3, choose)));
    },
  },

  'a transpose that moves no number is a reshape': {
    match: (choose) => {
      const n = choose.of([0, 1, 2, 3]);
      const [shape, perm] = choose.of([[[1, n], [1, 0]], [[n, 1, 1], [1, 0, 2]], [[n, 1, 2], [1, 0, 2]], [[2, 1, n], [0, 2, 1]]] as const); // prettier-ignore
      return sample(floats(shape), (x) => x.transpose([...perm]));
    },
    near: (choose) => {
      const shape = choose.shape(3);
      return sample(floats(shape), (x) => x.transpose(permuted(3, choose)));
    },
  },

  'a product takes transposed matrices': {
    roundings: 16,
    match: (choose) => {
      const [M, K, N] = [choose.of([1, 2, 3]), choose.of([1, 2, 3]), choose.of([1, 2, 3])];
      const lifts = choose.pick(2) === 0;
      /** How an operand is kept, turned by the code, and turned by the product; one of the two for one of them, at least. */
      const [a, b] = [
        choose.of(['kept', 'code', 'both']),
        choose.of(lifts ? ['kept', 'code', 'flag'] : ['code', 'both']),
      ];
      const isKept = (way: string) => way === 'kept' || way === 'both';
      const given = (x: T, way: string) => {
        const y = way === 'code' || way === 'both' ? x.transpose() : x;
        return lifts ? y.reshape([1, ...y.shape]) : y;
      };
      const turns = (way: string) => way === 'flag' || way === 'both';
      return sample(floats(isKept(a) ? [M, K] : [K, M], isKept(b) ? [K, N] : [N, K]), (x, y) =>
        tf.matMul(given(x!, a), given(y!, b), turns(a), turns(b)),
      );
    },
    near: (choose) => {
      const n = choose.of([1, 2, 3]);
      const batch = choose.of([1, 2, n]);
      const perm = choose.of([[0, 2, 1], [1, 0, 2], [2, 1, 0], [1, 2, 0]]); // prettier-ignore
      return sample(floats([batch, n, n], [batch, n, n]), (a, b) => {
        const turned = a!.transpose(perm);
        const fits = String(turned.shape) === String(a!.shape);
        return tf.matMul(fits ? turned : a!, b!, choose.pick(2) === 0, choose.pick(2) === 0);
      });
    },
  },

  'known numbers are computed': {
    match: (choose) => {
      const shape = choose.shape();
      const known = () => choose.of([tf.fill(shape, choose.number()), tf.scalar(choose.number())]);
      return sample(floats(shape), (x) => choose.of(BINARY)(known(), tf.fill(shape, choose.number())).neg().add(x));
    },
    near: (choose) => {
      const shape = choose.shape();
      const [a, b] = [1 + choose.pick(5), 1 + choose.pick(5)];
      return sample([{ shape, dtype: 'int32' }], (x) =>
        choose
          .of(BINARY)(tf.fill(shape, a, 'int32'), tf.fill(shape, b, 'int32'))
          .mul(x),
      );
    },
  },

  'a neutral operand falls away': {
    match: (choose) =>
      sample(
        floats(choose.shape()),
        (x) =>
        choose.of([() => x.mul(1), () => tf.onesLike(x).mul(x), () => x.div(1), () => x.sub(0), () => x.add(-0)])().square(), // prettier-ignore
      ),
    near: (choose) => {
      const shape = choose.shape();
      return sample(floats(shape), (x) => {
        const y = choose.of([
          () => x.add(0),
          () => tf.scalar(0).sub(x),
          () => tf.scalar(1).div(x),
          () => x.sub(-0),
          () => x.mul(tf.ones([2, ...shape])),
          () => x.sub(tf.zeros([2, ...shape])),
        ])();
        return [y, tf.scalar(1).div(y)]; // which tells 0 from −0
      });
    },
  },

  'known factors of spread values are spread': {
    match: (choose) => {
      const shape = wideShape(choose);
      return sample(floats(narrow(shape, choose)), (x) =>
        scaled(spreadOver(x, shape, choose), choose.number(), choose),
      );
    },
    near: (choose) => {
      const shape = wideShape(choose);
      const dtype = choose.of<DType>(['float32', 'int32']);
      return sample([{ shape: narrow(shape, choose), dtype }], (x) =>
        tf
          .ones(shape, dtype)
          .mul(x)
          .mul(tf.fill([2, ...shape], 1 + choose.pick(3), dtype)),
      );
    },
  },

  'known factors are one': {
    roundings: 2,
    match: (choose) => {
      const ordinary = () => choose.of([0.5, 2, -1, 3, 0.1, -0.25]);
      const grow = choose.pick(2) === 0;
      const factor = () => (grow ? 1 + Math.abs(ordinary()) : 1 / (1 + Math.abs(ordinary())));
      return sample(floats(choose.shape()), (x) => x.mul(factor()).mul(factor()).neg().mul(factor()));
    },
    near: (choose) =>
      sample(floats(choose.shape()), (x) =>
        choose.of([
          () => x.mul(choose.number()).mul(choose.number()),
          () => x.mul(1e20).mul(1e-20),
          () => x.mul(1e-25).mul(1e25),
          () => x.mul(2).mul(tf.fill([2, ...x.shape], 0.5)),
        ])(),
      ),
  },

  'a division by a power of two is a product': {
    match: (choose) => sample(floats(choose.shape()), (x) => x.div(choose.of([2, 0.5, -4, 2 ** 20, 2 ** -40, 1024]))),
    near: (choose) => {
      const shape = choose.shape();
      return sample(floats(shape), (x) =>
        choose.of([() => x.div(choose.number()), () => tf.scalar(2).div(x), () => x.div(tf.fill([2, ...shape], 4))])(),
      );
    },
  },

  'log-softmax by hand is one operation': {
    roundings: 64,
    match: (choose) => {
      const shape = choose.shape(1 + choose.pick(3));
      const last = shape.length - 1;
      return sample(floats(shape), (x) => byHand(x, [true, true], choose.of([[-1, -1], [last, last]]))); // prettier-ignore
    },
    near: (choose) => {
      const n = choose.of([1, 2, 3]);
      const shape = choose.of([[n, n], [n, n, n], [2, n, n], [n, 1, n]]); // prettier-ignore
      const [keepsMax, keepsSum] = [choose.pick(2) === 0, choose.pick(2) === 0];
      const axes = choose.of([[-1, -1], [0, 0], [0, -1], [-1, 0]] as const); // prettier-ignore
      const reduced = (axis: number) => shape.filter((_, i) => i !== (axis + shape.length) % shape.length);
      const fits = (axis: number, keeps: boolean) => keeps || fitsInto(reduced(axis), shape);
      return sample(floats(shape), (x) => {
        if (choose.pick(4) === 0 && shape.length === 2) return sumsOfOtherRows(x, choose);
        return byHand(x, [keepsMax || !fits(axes[0], false), keepsSum || !fits(axes[1], false)], axes);
      });
    },
  },

  'what broadcasts needs no spreading': {
    match: (choose) => {
      const shape = wideShape(choose);
      return sample(floats(narrow(shape, choose), shape), (x, y) => {
        const wide = spreadOver(x!, shape, choose);
        return choose.pick(2) === 0 ? choose.of(BINARY)(wide, y!) : choose.of(BINARY)(y!, wide);
      });
    },
    near: (choose) => {
      const shape = wideShape(choose);
      return sample(floats(narrow(shape, choose), narrow(shape, choose)), (x, y) => {
        const wide = spreadOver(x!, shape, choose);
        const other = choose.of([y!, tf.fill(shape, choose.number()), tf.ones([2, ...shape]).mul(y!)]);
        return choose.pick(2) === 0 ? choose.of(BINARY)(wide, other) : choose.of(BINARY)(other, wide);
      });
    },
  },

  'a sum of one term is the term': {
    match: (choose) => {
      const n = choose.of([1, 2, 3]);
      const [shape, axis] = choose.of([[[n, 1], 1], [[1, n], 0], [[n, 1, 2], 1], [[1, 1], [0, 1]]] as const); // prettier-ignore
      return sample(floats(shape), (x) => x.sum(axis as number, choose.pick(2) === 0).square());
    },
    near: (choose) => {
      const dtype = choose.of<DType>(['float32', 'int32', 'bool']);
      const shape = choose.of([choose.shape(2), [2, 1], [0, 1], [1, 0]]);
      return sample([{ shape, dtype }], (x) => x.sum(choose.pick(2), choose.pick(2) === 0));
    },
  },

  'a sum of equal terms is a product': {
    roundings: 32,
    match: (choose) => {
      const shape = wideShape(choose);
      return sample(floats([]), (x) => tf.fill(shape, choose.number()).sum(choose.pick(shape.length)).add(x));
    },
    near: (choose) => {
      const shape = choose.of([[0, 2], [2, 0], [0]]); // prettier-ignore
      return sample(floats([]), (x) => tf.fill(shape, choose.number()).sum(0).add(x));
    },
  },

  'a product takes its bias': {
    roundings: 16,
    match: (choose) => {
      const [M, K, N] = [choose.of([1, 2, 3]), choose.of([1, 2, 3]), choose.of([1, 2, 3])];
      return sample(floats([M, K], [K, N], [N]), (a, b, c) => {
        const y = tf.matMul(a!, b!);
        return choose.pick(2) === 0 ? y.add(c!) : c!.add(y);
      });
    },
    near: (choose) => {
      const n = choose.of([1, 2, 3]);
      const bias = choose.of([[n], [n, 1], [1, n], [n, n], []]);
      const dtype = choose.of<DType>(['float32', 'float32', 'int32']);
      const specs = [[n, 2], [2, n], bias].map((shape) => ({ shape, dtype }));
      return sample(specs, (a, b, c) => {
        const y = tf.matMul(a!, b!);
        return choose.of([() => [y.add(c!), y.square()], () => [y.add(c!)], () => [y.reshape([1, n, n]).add(c!)]])();
      });
    },
  },
};

const fitsInto = (from: readonly number[], shape: readonly number[]): boolean =>
  from.length <= shape.length && from.every((n, i) => n === 1 || n === shape[shape.length - from.length + i]);

/** As log-softmax by hand, but the sums are those of the rows of another shape. */
function sumsOfOtherRows(x: T, { of }: Choices): T {
  const shifted = x.sub(x.max(-1, true));
  const [rows, columns] = x.shape as [number, number];
  const other = of([[columns, rows], [1, rows * columns]]); // prettier-ignore
  const total = shifted.exp().reshape(other).sum(0).log(); // [rows] where the matrix is square
  return total.size === rows ? shifted.sub(total.reshape([rows, 1])) : shifted;
}
