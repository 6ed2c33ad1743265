import { closeSync, ftruncateSync, openSync } from 'node:fs';

const file = openSync(process.argv[2], 'w');
ftruncateSync(file, 100e6);
closeSync(file);
