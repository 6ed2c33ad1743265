import { createWriteStream } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** Writes beside the file and renames, so that nobody ever reads half of it. */
export async function writeAtomically(file: string, text: string): Promise<void> {
  await viaDraft(file, (draft) => writeFile(draft, text));
}

/** The same for a text that comes in pieces and is never held as a whole. */
export async function writeStream(file: string, pieces: Iterable<string>): Promise<void> {
  await viaDraft(file, (draft) => pipeline(Readable.from(pieces), createWriteStream(draft)));
}

async function viaDraft(file: string, write: (draft: string) => Promise<void>): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const draft = join(dirname(file), `.${basename(file)}.${process.pid}.tmp`);
  await write(draft);
  await rename(draft, file);
}
