import { readFileSync, writeFileSync } from 'node:fs';

const source = `function total() { return ${'('.repeat(20_000)}6.5${')'.repeat(20_000)}; }`;
const notebook = JSON.parse(readFileSync(process.argv[3], 'utf8'));
notebook.cells.push({ cell_type: 'code', id: 'deep', metadata: {}, outputs: [], source });
writeFileSync(process.argv[2], JSON.stringify(notebook));
