/** The table of operations that the engine compiles, as Markdown, made from the engine's own table. */
import { supportedOperations } from 'dgm/engine';

type Operation = ReturnType<typeof supportedOperations>[number];

/** One table for each kind, in the engine's order. */
export function operationTables(operations: readonly Operation[] = supportedOperations()): string {
  const kinds = [...new Set(operations.map(({ kind }) => kind))];
  const tables = kinds.map((kind) => {
    const own = operations.filter((operation) => operation.kind === kind);
    const rows = own.map(({ name, types, note }) => `| \`${name}\` | ${types.join(', ')} | ${cell(note)} |`);
    return [`**${capital(kind)}**`, '', '| operation | types | remarks |', '|---|---|---|', ...rows].join('\n');
  });
  return `${operations.length} operations.\n\n${tables.join('\n\n')}`;
}

const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

/** A bar would end the cell. */
const cell = (text: string): string => text.replaceAll('|', '\\|');
