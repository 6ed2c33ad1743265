/** `npm run kernel`: our kernel in the user's own Jupyter folder, where VS Code and other front ends look for it. */
import { existsSync } from 'node:fs';
import { readFile, rm, rmdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { workbookRoot, writeAtomically } from 'dgm/host';
import { flag, runCommand } from '../command-line/command';

const COMMAND = {
  help: `npm run kernel -- [--user | --remove]

Says whether the kernel of this workbook is among the kernels of the user, where VS Code finds it. npm start needs
none of this.

  --user      puts it there; again after the workbook was moved
  --remove    takes it away
`,
  options: { user: flag, remove: flag },
};

type Environment = Readonly<Record<string, string | undefined>>;

/** Where Jupyter, and all that follows it, keeps what is one user's: JUPYTER_DATA_DIR, else the system's place. */
export function dataFolder(env: Environment, platform: NodeJS.Platform = process.platform, home = homedir()): string {
  if (env['JUPYTER_DATA_DIR']) return env['JUPYTER_DATA_DIR'];
  if (platform === 'darwin') return join(home, 'Library', 'Jupyter');
  if (platform === 'win32') return join(env['APPDATA'] ?? join(home, 'AppData', 'Roaming'), 'jupyter');
  return join(env['XDG_DATA_HOME'] || join(home, '.local', 'share'), 'jupyter');
}

/** The name that the notebooks ask for. */
const NAME = 'dgm';

const folderIn = (data: string): string => join(data, 'kernels', NAME);
const fileIn = (data: string): string => join(folderIn(data), 'kernel.json');

interface Spec {
  readonly argv: readonly string[];
  readonly metadata: { readonly dgm: { readonly workbook: string } } & Readonly<Record<string, unknown>>;
}

/** What is there under our name: nothing, another's kernel, or ours with where it leads. */
export type Installed =
  | { readonly state: 'none' }
  | { readonly state: 'foreign' }
  | {
      readonly state: 'current' | 'stale';
      readonly workbook: string;
      /** A file of its command that is not there. */
      readonly missing: string | undefined;
    };

/** Compares what is there with what this workbook would write. */
export async function installed(data: string, root: string): Promise<Installed> {
  if (!existsSync(folderIn(data))) return { state: 'none' };
  const text = await readFile(fileIn(data), 'utf8').catch(() => '');
  const spec = parse(text);
  const workbook = spec?.metadata?.dgm?.workbook;
  if (typeof workbook !== 'string') return { state: 'foreign' };
  const command = Array.isArray(spec?.argv) ? spec.argv.map(String) : [];
  const missing = command.find((part) => isAbsolute(part) && !existsSync(part));
  return { state: text === (await specText(root)) ? 'current' : 'stale', workbook, missing };
}

function parse(text: string): Partial<Spec> | null {
  try {
    return JSON.parse(text) as Partial<Spec> | null;
  } catch {
    return null;
  }
}

/** The project's own kernelspec with full paths: VS Code knows neither the folder nor, always, the PATH. */
async function specText(root: string): Promise<string> {
  const folder = join(root, 'jupyter', 'share', 'kernels', NAME);
  const spec = JSON.parse(await readFile(join(folder, 'kernel.json'), 'utf8')) as Spec;
  const argv = [process.execPath, join(folder, 'kernel.mjs'), '{connection_file}'];
  const metadata = { ...spec.metadata, dgm: { workbook: root } };
  return `${JSON.stringify({ ...spec, argv, metadata }, null, 2)}\n`;
}

/** @throws when a kernel of this name is there that is not ours */
export async function install(data: string, root: string): Promise<string> {
  const before = await installed(data, root);
  if (before.state === 'foreign') throw foreign(data);
  await writeAtomically(fileIn(data), await specText(root));
  const instead = before.state === 'stale' && before.workbook !== root ? ` (before, of ${before.workbook})` : '';
  return (
    `The kernel "TypeScript (dgm)" of ${root} is in ${folderIn(data)}${instead}.\n` +
    'In VS Code, with the extension Jupyter: open a notebook, then at its top right Select Kernel → Jupyter Kernel… →\n' +
    'TypeScript (dgm). If it is not in that list, reload the window (Developer: Reload Window).'
  );
}

/** @throws when a kernel of this name is there that is not ours */
export async function remove(data: string, root: string): Promise<string> {
  const { state } = await installed(data, root);
  if (state === 'none') return `There is no kernel in ${folderIn(data)}: nothing to remove.`;
  if (state === 'foreign') throw foreign(data);
  await rm(fileIn(data));
  await rmdir(folderIn(data)).catch(() => undefined); // what others put there stays
  return `Removed the kernel from ${folderIn(data)}.`;
}

function foreign(data: string): Error {
  return new Error(
    `${folderIn(data)} holds a kernel that this workbook did not write, so it is left alone; ` +
      'rename or delete that folder if you do not need it, and try again',
  );
}

/** Whether it is there and starts this workbook's kernel, and the remedy if not. */
export async function examineKernelspec(
  data: string,
  root: string,
): Promise<{ ok: boolean; reason: string; remedy?: string }> {
  const found = await installed(data, root);
  const remedy = 'npm run kernel -- --user';
  if (found.state === 'none') return { ok: false, reason: 'not among the kernels of VS Code', remedy };
  if (found.state === 'foreign') return { ok: false, reason: foreign(data).message };
  if (found.state === 'current') return { ok: true, reason: `for VS Code, in ${folderIn(data)}` };
  return { ok: false, reason: `${fileIn(data)} ${whyStale(found, root)}`, remedy };
}

function whyStale({ workbook, missing }: { workbook: string; missing: string | undefined }, root: string): string {
  if (workbook !== root)
    return `starts another workbook, ${workbook}${existsSync(workbook) ? '' : ', which is not there'}`;
  const gone = missing === undefined ? '' : `starts ${missing}, which is not there: it `;
  return `${gone}is of an earlier version, or of another Node`;
}

runCommand(module, COMMAND, async ({ options: { user, remove: away } }) => {
  if (user && away) throw new Error('--user and --remove: choose one');
  const data = dataFolder(process.env);
  if (user) return console.log(await install(data, workbookRoot));
  if (away) return console.log(await remove(data, workbookRoot));
  const { ok, reason, remedy } = await examineKernelspec(data, workbookRoot);
  console.log(`${ok ? 'yes' : 'no '}  ${reason}${remedy ? `\n     → ${remedy}` : ''}`);
});
