import { readFileSync, writeFileSync } from 'node:fs';

const comparisons = Array.from(
  { length: 1000 },
  (_, i) => `{ const f = (x: Deep<[], { a: ${i} }>): Deep<[], { b: ${i} }> => x; }`,
);
const source = `type Deep<N extends unknown[], T> = N['length'] extends 40 ? T : Deep<[...N, 0], { l: T } | { r: T }>;
function total() { ${comparisons.join('\n')} return 6.5; }`;
const notebook = JSON.parse(readFileSync(process.argv[3], 'utf8'));
notebook.cells.push({ cell_type: 'code', id: 'bomb', metadata: {}, outputs: [], source });
writeFileSync(process.argv[2], JSON.stringify(notebook));
