/** The table of operations that the engine compiles, as Markdown, made from the engine's own table. */
import { type Operation, supportedOperations } from 'dgm/engine';

/** One table for each kind, in the engine's order; operations of which the same is to be said share a row. */
export function operationTables(operations: readonly Operation[] = supportedOperations()): string {
  const tables = [...grouped(operations, ({ kind }) => kind)].map(([kind, own]) => {
    const rows = [...grouped(own, sayingOf).values()].map(rowOf);
    return [`**${capital(kind)}**`, '', '| operation | types | remarks |', '|---|---|---|', ...rows].join('\n');
  });
  return `${operations.length} operations.\n\n${tables.join('\n\n')}`;
}

const sayingOf = ({ types, note }: Operation): string => [...types, note].join();

function rowOf(same: readonly Operation[]): string {
  const { types, note } = same[0]!;
  const names = same.map(({ name }) => `\`${name}\``);
  return `| ${names.join(', ')} | ${types.join(', ')} | ${cell(note)} |`;
}

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}

const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

/** A bar would end the cell. */
const cell = (text: string): string => text.replaceAll('|', '\\|');
