import { symlinkSync } from 'node:fs';

symlinkSync(process.argv[4], process.argv[2]);
