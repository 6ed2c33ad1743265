/** Products of matrices. */
import { sizeOf, type Spec } from '../../graph/graph';
import { broadcast, maybe, NUMBERS, one, rangeOf, type Kernels, type Operand } from '../kernel';

export const matrices: Kernels = {
  // [..., M, K] · [..., K, N] (+ bias); two plain matrices become Gemm, which transposes and adds for nothing
  BatchMatMul: {
    types: NUMBERS,
    note: 'matMul, dot',
    shape: (inputs, attrs) => {
      const [a, b] = [one(inputs, 'a'), one(inputs, 'b')];
      const rows = a.shape.at(attrs['transposeA'] ? -1 : -2)!;
      const columns = b.shape.at(attrs['transposeB'] ? -2 : -1)!;
      const [inner, other] = [a.shape.at(attrs['transposeA'] ? -2 : -1), b.shape.at(attrs['transposeB'] ? -1 : -2)];
      if (inner !== other) throw new Error(`the inner sides, ${inner} and ${other}, must be equal`);
      return [{ shape: [...broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2)), rows, columns], dtype: a.dtype }];
    },
    lower: (builder, inputs, attrs, [out]) => {
      const [a, b] = [one(inputs, 'a'), one(inputs, 'b')];
      const [transA, transB] = [attrs['transposeA'] ? 1 : 0, attrs['transposeB'] ? 1 : 0];
      const bias = maybe(inputs, 'bias');
      const batch = (x: Spec) => sizeOf(x.shape.slice(0, -2));
      const flat = (x: Operand) =>
        x.shape.length === 2 ? x.name : builder.reshape(x.name, [batch(x) * x.shape.at(-2)!, x.shape.at(-1)!]);
      // one matrix on the right takes the rows of a whole batch
      if (a.dtype === 'float32' && batch(b) === 1 && (batch(a) === 1 || !transA)) {
        const operands = [flat(a), flat(b), ...(bias ? [bias.name] : [])];
        const y = builder.op('Gemm', operands, { transA, transB });
        return [out!.shape.length === 2 ? y : builder.reshape(y, out!.shape)];
      }
      const turned = (x: Operand, turn: number) =>
        turn ? builder.op('Transpose', [x.name], { perm: swapLast(x.shape.length) }) : x.name;
      const y = builder.op('MatMul', [turned(a, transA), turned(b, transB)]);
      return [bias ? builder.op('Add', [y, bias.name]) : y];
    },
  },
};

const swapLast = (rank: number): number[] => [...rangeOf(rank - 2), rank - 1, rank - 2];
