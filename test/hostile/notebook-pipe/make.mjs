import { execFileSync } from 'node:child_process';

execFileSync('mkfifo', [process.argv[2]]);
