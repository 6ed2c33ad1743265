import { copyFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

const folder = join(dirname(process.argv[2]), '..%2f..%2f\u202e\n$(touch x)');
mkdirSync(folder);
copyFileSync(process.argv[3], join(folder, '... .ipynb'));
