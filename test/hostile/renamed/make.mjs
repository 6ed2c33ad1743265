import { readFileSync, writeFileSync } from 'node:fs';

writeFileSync(process.argv[2], readFileSync(process.argv[3], 'utf8').replaceAll('function total(', 'function totals('));
