/** Every family as a list, for the laws and for comparisons. */
import type { Family } from '../core/model';
import * as exported from './index';

/** A family, whatever its configuration. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- configurations differ, and only `create` sees one
export type AnyFamily = Family<any>;

const isFamily = (value: unknown): value is AnyFamily =>
  typeof value === 'object' && value !== null && 'tiny' in value && 'create' in value;

/** By name. */
export const families: readonly AnyFamily[] = Object.values(exported as Readonly<Record<string, unknown>>)
  .filter(isFamily)
  .sort((a, b) => (a.name < b.name ? -1 : 1));
