/**
 * An assembler for one kind of WebAssembly function: a loop over float32 arrays, four numbers at a time.
 * Reference: WebAssembly Core Specification 2.0, §5 (binary format).
 */

type Code = readonly number[];

/** Code that leaves a vector: four float32, or two float64 where it says so. */
export type Vector = Code;

export const add = (a: Vector, b: Vector): Vector => simd(0xe4, a, b);
export const sub = (a: Vector, b: Vector): Vector => simd(0xe5, a, b);
export const mul = (a: Vector, b: Vector): Vector => simd(0xe6, a, b);
export const div = (a: Vector, b: Vector): Vector => simd(0xe7, a, b);
export const max = (a: Vector, b: Vector): Vector => simd(0xe9, a, b);
export const abs = (a: Vector): Vector => simd(0xe0, a);
export const sqrt = (a: Vector): Vector => simd(0xe3, a);

/** The first two of four float32, as two float64. */
export const lowDoubles = (a: Vector): Vector => simd(0x5f, a);
/** The last two of four float32, as two float64. */
export const highDoubles = (a: Vector): Vector => lowDoubles([...simd(0x0d, a, a), ...UPPER_HALF]);
export const addDoubles = (a: Vector, b: Vector): Vector => simd(0xf0, a, b);
export const mulDoubles = (a: Vector, b: Vector): Vector => simd(0xf2, a, b);

/** A new value for a named vector. An array's is stored at the end of the turn. */
export interface Assignment {
  readonly to: Vector;
  readonly value: Vector;
}
export const set = (to: Vector, value: Vector): Assignment => ({ to, value });

/**
 * A function (bytes, ...addresses of the arrays, ...numbers as float32) → float64. `bytes` is the length of every
 * array, a multiple of 16.
 */
export interface Loop<A extends string = string, N extends string = string> {
  readonly arrays: readonly A[];
  readonly numbers: readonly N[];
  /** Written when a memory first needs it: most who import the library train nothing. */
  code(): Code;
}

/**
 * Takes `turn` for each four numbers of the arrays, and returns the total of `sums`, pairs of float64 that begin
 * at 0.
 */
export function loop<A extends string, N extends string = never, S extends string = never>(
  names: { readonly arrays: readonly A[]; readonly numbers?: readonly N[]; readonly sums?: readonly S[] },
  turn: (vectors: Readonly<Record<A | N | S, Vector>>) => readonly Assignment[],
): Loop<A, N> {
  const { arrays, numbers = [], sums = [] } = names;
  return { arrays, numbers, code: () => codeOf({ arrays, numbers, sums }, turn) };
}

function codeOf<A extends string, N extends string, S extends string>(
  { arrays, numbers, sums }: Readonly<{ arrays: readonly A[]; numbers: readonly N[]; sums: readonly S[] }>,
  turn: (vectors: Readonly<Record<A | N | S, Vector>>) => readonly Assignment[],
): Code {
  const parameters = 1 + arrays.length + numbers.length;
  const named = [...arrays, ...numbers, ...sums];
  const locals = named.map((name, i): [string, Vector] => [name, get(parameters + i)]);
  const vectors = Object.fromEntries(locals) as Record<A | N | S, Vector>;
  const assignments = turn(vectors);

  const pointer = (array: A) => [...get(1 + arrays.indexOf(array)), ...get(BYTES), I32_ADD];
  const splat = (number: N) => simd(0x13, get(1 + arrays.length + numbers.indexOf(number)));
  const load = (array: A) => [...simd(0x00, pointer(array)), ...ALIGNED];
  const store = (array: A) => [...simd(0x0b, pointer(array), vectors[array]), ...ALIGNED];
  const changed = arrays.filter((array) => assignments.some(({ to }) => to === vectors[array]));
  const each = [
    ...arrays.flatMap((array) => assign(vectors[array], load(array))),
    ...assignments.flatMap(({ to, value }) => assign(to, value)),
    ...changed.flatMap(store),
  ];
  const total = sums.flatMap((sum) => [0, 1].flatMap((lane) => [...simd(0x21, vectors[sum]), lane, F64_ADD]));
  return [
    ...list([[...unsigned(named.length), V128]]),
    ...numbers.flatMap((number) => assign(vectors[number], splat(number))),
    ...countdown(each),
    ...F64_ZERO,
    ...total,
    END,
  ];
}

/** A module with these functions, over the memory that it imports as `env.memory`. */
export function assemble(loops: Readonly<Record<string, Loop>>): Uint8Array<ArrayBuffer> {
  const functions = Object.values(loops);
  const types = functions.map(({ arrays, numbers }) => [
    0x60,
    ...list([[I32], ...arrays.map(() => [I32]), ...numbers.map(() => [F32])]),
    ...list([[F64]]),
  ]);
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // "\0asm", version 1
    ...section(1, types),
    ...section(2, [[...text('env'), ...text('memory'), 0x02, 0, 0]]), // of any size
    ...section(
      3,
      functions.map((_, i) => unsigned(i)), // each has its own type
    ),
    ...section(
      7,
      Object.keys(loops).map((name, i) => [...text(name), 0x00, ...unsigned(i)]),
    ),
    ...section(
      10,
      functions.map(({ code }) => sized(code())),
    ),
  ]);
}

const [I32, F32, F64, V128] = [0x7f, 0x7d, 0x7c, 0x7b] as const;
const [I32_ADD, F64_ADD, END] = [0x6a, 0xa0, 0x0b] as const;
const F64_ZERO = [0x44, 0, 0, 0, 0, 0, 0, 0, 0];
const ALIGNED = [4, 0]; // to 2⁴ bytes, offset 0
const UPPER_HALF = [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15];
/** The local that counts the bytes still to do. */
const BYTES = 0;

const simd = (opcode: number, ...operands: readonly Code[]): Code => [...operands.flat(), 0xfd, ...unsigned(opcode)];
const get = (local: number): Code => [0x20, ...unsigned(local)];
/** Gives the local that `to` gets a value. */
const assign = (to: Code, value: Code): Code => [...value, 0x21, ...to.slice(1)];

/** Before each turn takes 16 off the bytes still to do, until there are none. */
function countdown(turn: Code): Code {
  const leaveAtZero = [...get(BYTES), 0x45, 0x0d, 1]; // i32.eqz, br_if to the end of the block
  const takeOff = assign(get(BYTES), [...get(BYTES), 0x41, 16, 0x6b]); // i32.const 16, i32.sub
  return [0x02, 0x40, 0x03, 0x40, ...leaveAtZero, ...takeOff, ...turn, 0x0c, 0, END, END]; // block, loop, ..., br
}

/** LEB128. */
function unsigned(value: number): Code {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

const list = (items: readonly Code[]): Code => [...unsigned(items.length), ...items.flat()];
const sized = (content: Code): Code => [...unsigned(content.length), ...content];
const section = (id: number, items: readonly Code[]): Code => [id, ...sized(list(items))];
const text = (ascii: string): Code => sized([...ascii].map((letter) => letter.charCodeAt(0)));
