import { readFileSync, writeFileSync } from 'node:fs';

const notebook = JSON.parse(readFileSync(process.argv[3], 'utf8'));
for (const cell of notebook.cells) cell.id = '__proto__';
writeFileSync(process.argv[2], JSON.stringify(notebook));
