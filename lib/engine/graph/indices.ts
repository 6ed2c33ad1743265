/** Indices that lie outside of what they point into: an error wherever code runs, eagerly, compiled, on any device. */

/** The indices of one operation, as they are checked after a run. */
export interface IndexCheck {
  /** The function of TensorFlow.js that has them. */
  readonly call: string;
  /** How many places there are along each coordinate of an index. */
  readonly places: readonly number[];
  /** The line of the model's code. */
  readonly site: string;
}

/**
 * @param values of each check the least and the largest index along every coordinate
 * @throws RangeError when one has no place
 */
export function requireWithin(checks: readonly IndexCheck[], values: ArrayLike<number>): void {
  let at = 0;
  const next = (count: number) => Array.from({ length: count }, () => values[at++]!);
  for (const check of checks) requirePlaces(check, next(check.places.length), next(check.places.length));
}

/** @throws RangeError when one of the least or of the largest indices along the coordinates has no place */
export function requirePlaces(check: IndexCheck, least: ArrayLike<number>, largest: ArrayLike<number>): void {
  check.places.forEach((count, coordinate) => {
    for (const index of [least[coordinate]!, largest[coordinate]!])
      if (index < 0 || index >= count) throw indexError(check, index, coordinate);
  });
}

/** @throws RangeError naming the first index without a place; an index is as many numbers as there are coordinates */
export function requireIndices(check: () => IndexCheck, places: readonly number[], indices: ArrayLike<number>): void {
  for (let i = 0; i < indices.length; i++) {
    const coordinate = i % places.length;
    const index = indices[i]!;
    if (!(index >= 0 && index < places[coordinate]!)) throw indexError(check(), index, coordinate);
  }
}

function indexError({ call, places, site }: IndexCheck, index: number, coordinate: number): RangeError {
  const count = places[coordinate]!;
  const along = places.length > 1 ? ` along axis ${coordinate}` : '';
  const allowed = count === 0 ? `there is no place${along}` : `an index${along} must be in 0 … ${count - 1}`;
  const where = site === '' ? '' : ` (${site})`;
  return new RangeError(`${call}: ${allowed}, got ${index}; look for it in the data, or make room for it${where}`);
}
