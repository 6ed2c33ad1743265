/**
 * One row for every TensorFlow.js kernel that can be compiled: the shape of its result, and the ONNX operators
 * that compute it (opset 18). TensorFlow.js defines what a kernel means; where ONNX differs, the row says so.
 */
import type { DType } from '../../graph/graph';
import type { Kernels } from '../kernel';
import { constants } from './constants';
import { convolutions } from './convolution';
import { depthwise } from './depthwise';
import { functions } from './functions';
import { fusedProducts } from './fused';
import { images } from './images';
import { indexing } from './indexing';
import { matrices } from './matrices';
import { operators } from './operators';
import { parts } from './parts';
import { pooling } from './pooling';
import { reductions } from './reductions';
import { shapes } from './shapes';

/** The rows by kind, as a reader looks for them. */
const kinds: Readonly<Record<string, Kernels>> = {
  'functions of one variable': functions,
  'arithmetic, comparisons and choices': operators,
  reductions,
  'types, shapes and orders': shapes,
  'parts and joints': parts,
  constants,
  indexing,
  'products of matrices': matrices,
  convolutions: { ...convolutions, ...depthwise },
  pooling,
  images,
  'products with bias and activation': fusedProducts,
};

/** Every kernel that can be compiled, by its TensorFlow.js name. */
export const kernels: Kernels = Object.assign({}, ...Object.values(kinds)) as Kernels;

/** What can be said of an operation that can be compiled. */
export interface Operation {
  /** The kernel's name in TensorFlow.js, as errors give it. */
  readonly name: string;
  readonly kind: string;
  /** Types of operands with which it can be compiled. */
  readonly types: readonly DType[];
  /** The function that calls it, where it has another name, and what is refused. */
  readonly note: string;
}

/** Everything that can be compiled, kind by kind; any other operation makes a function run eagerly. */
export function supportedOperations(): Operation[] {
  return Object.entries(kinds).flatMap(([kind, rows]) =>
    Object.entries(rows).map(([name, { types, note = '' }]) => ({ name, kind, types, note })),
  );
}
