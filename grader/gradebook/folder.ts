/** What lies in a folder of submissions: the notebooks, each by a name of its own, and what is passed over. */
import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import { addressOf, nameOf } from '../base/file-names';
import type { Submission } from '../grading/grade-submission';

interface Found {
  /** Sorted by name. The path within the folder, without extension, is the name. */
  readonly submissions: readonly Submission[];
  /** What somebody may have taken for a submission, and why it is none. */
  readonly passedOver: readonly PassedOver[];
}

export interface PassedOver {
  readonly name: string;
  readonly why: string;
}

/**
 * Every *.ipynb in the folder and below; also what only bears the name, since somebody handed it in.
 * @param out is not looked into
 * @throws an Error when the folder cannot be read
 */
export async function findSubmissions(folder: string, out?: string): Promise<Found> {
  const skipped = out === undefined ? undefined : resolve(out);
  const found: Submission[] = [];
  const passedOver: PassedOver[] = [];
  const visit = async (path: Buffer, above: string): Promise<void> => {
    const entries = await list(path).catch((error: unknown) => {
      if (above === '') throw new Error(`the folder ${folder} cannot be read: ${(error as Error).message}`);
      found.push({ student: above, file: addressOf(path) });
      return [];
    });
    for (const entry of entries) {
      const file = Buffer.concat([path, Buffer.from(sep), entry.name]);
      const name = above === '' ? nameOf(entry.name) : `${above}/${nameOf(entry.name)}`;
      const why = reasonAgainst(entry, name);
      if (NOTEBOOK.test(name)) found.push({ student: name, file: addressOf(file) });
      else if (why !== undefined) passedOver.push({ name, why });
      else if (isOpen(entry) && addressOf(file) !== skipped) await visit(file, name);
    }
  };
  await visit(Buffer.from(resolve(folder)), '');
  return { submissions: named(found), passedOver };
}

const NOTEBOOK = /\.ipynb$/i;
const ARCHIVE = /\.(zip|7z|rar|tar|tgz|txz|tbz2?|gz|bz2|xz|zst)$/i;

function list(path: Buffer): Promise<Dirent<Buffer>[]> {
  return readdir(path, { withFileTypes: true, encoding: 'buffer' });
}

function reasonAgainst(entry: Dirent<Buffer>, name: string): string | undefined {
  if (entry.isSymbolicLink()) return 'a link is not followed; put what it leads to in its place';
  if (!entry.isFile()) return undefined;
  if (ARCHIVE.test(name)) return 'an archive; unpack it';
  return /\.ipynb\./i.test(name) ? 'no name of a notebook; it must end in .ipynb' : undefined;
}

function isOpen(entry: Dirent<Buffer>): boolean {
  return entry.isDirectory() && nameOf(entry.name) !== '.ipynb_checkpoints';
}

/** Names without extension; a name that is taken or would be empty keeps it, or gets a number. */
function named(found: readonly Submission[]): Submission[] {
  const taken = new Set<string>();
  const named = found.toSorted(byFile).map(({ student: path, file }) => {
    const short = path.replace(NOTEBOOK, '');
    const free = [...(/[^/]$/.test(short) ? [short] : []), path].find((name) => !taken.has(name));
    const student = free ?? numbered(path, taken);
    taken.add(student);
    return { student, file };
  });
  return named.sort((a, b) => (a.student < b.student ? -1 : 1));
}

/** `x.ipynb` before `x.IPYNB`, so that the usual one keeps the short name. */
function byFile(a: Submission, b: Submission): number {
  const [usual, other] = [a, b].map(({ student }) => (student.endsWith('.ipynb') ? 0 : 1)) as [number, number];
  return usual - other || (a.file < b.file ? -1 : 1);
}

function numbered(name: string, taken: ReadonlySet<string>): string {
  for (let i = 2; ; i++) if (!taken.has(`${name} (${i})`)) return `${name} (${i})`;
}
