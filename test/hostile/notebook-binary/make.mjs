import { writeFileSync } from 'node:fs';

writeFileSync(process.argv[2], Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 197) % 256)));
