import { readFileSync, writeFileSync } from 'node:fs';

const notebook = JSON.parse(readFileSync(process.argv[3], 'utf8'));
for (const cell of notebook.cells) delete cell.id;
writeFileSync(process.argv[2], JSON.stringify(notebook));
