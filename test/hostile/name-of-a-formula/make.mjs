import { copyFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

copyFileSync(process.argv[3], join(dirname(process.argv[2]), "=HYPERLINK('http:⁄⁄x','y').ipynb"));
