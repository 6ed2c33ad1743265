/**
 * What `npm start` and `npm test` need before anything of ours can run: a recent Node, the packages of the lock
 * file, and the compiled library. Does what is missing, one line for each, and is silent when nothing is.
 * Plain JavaScript without packages, because it runs before there are any.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { npmCommand } from './npm.mjs';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const OLDEST_NODE = [20, 19]; // the first that can `require` an ES module

const inRoot = (...path) => join(ROOT, ...path);
const readJson = (...path) => JSON.parse(readFileSync(inRoot(...path), 'utf8'));
const say = (text) => process.stderr.write(`${text}\n`);

function stop(text) {
  say(text);
  process.exit(1);
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_NODE;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  stop(
    `This workbook needs Node ${OLDEST_NODE.join('.')} or newer; this is Node ${process.versions.node} (${process.execPath}).\n` +
      'Install a current one from https://nodejs.org, open a new terminal, and try again.',
  );
}

/** The first package that is missing or has another version than the lock file says; undefined when all is well. */
function outOfStep() {
  if (!existsSync(inRoot('node_modules', '.package-lock.json'))) return 'none are installed';
  const installed = readJson('node_modules', '.package-lock.json').packages;
  const wanted = Object.entries(readJson('package-lock.json').packages);
  for (const [path, { version, optional, devOptional, peer }] of wanted) {
    if (!path.includes('node_modules/')) continue; // the workspaces themselves
    const found = installed[path];
    if (!found && (optional || devOptional || peer)) continue; // for another system
    if (!found || found.version !== version || !existsSync(inRoot(path))) return path;
  }
  return undefined;
}

function install() {
  const reason = outOfStep();
  if (reason === undefined) return;
  say(`Installing packages (npm ci): ${reason === 'none are installed' ? reason : `${reason} is missing or old`}`);
  // The compiler is a development dependency: wanted even where NODE_ENV says production. No package needs a script of
  // its own at install, and one of them would fetch some hundred megabytes; an older npm knows nothing of allowScripts.
  const status = npm(['ci', '--include=dev', '--prefer-offline', '--ignore-scripts']);
  if (status === 0) return;
  stop(
    `npm ci failed (${typeof status === 'number' ? `exit code ${status}` : status}); npm's reason is above.\n` +
      'It needs the network once. Offline: connect and run the same command again, or copy node_modules from a machine\n' +
      'of the same kind. Behind a proxy: npm config set proxy http://HOST:PORT and https-proxy likewise.',
  );
}

/** Exit code, or a text that says why there is none. */
function npm(args) {
  const { command, before, shell } = npmCommand();
  const { status, signal, error } = spawnSync(command, [...before, ...args], {
    cwd: ROOT,
    stdio: ['ignore', 2, 2],
    shell,
  });
  return status ?? (error ? error.message : `ended by ${signal}`);
}

/** The folders that `tsc -b` compiles. */
function projects() {
  return readJson('tsconfig.json').references.map(({ path }) => path);
}

/** Changes when any source, setting or package does. Names, sizes and times: no file has to be read. */
function fingerprint() {
  const files = projects().flatMap((project) => sources(project));
  const stamp = (path) => {
    const { size, mtimeMs } = statSync(inRoot(path));
    return `${path} ${size} ${mtimeMs}`;
  };
  const all = [...files, 'tsconfig.json', 'package-lock.json'].map(stamp);
  return createHash('sha256').update(all.sort().join('\n')).digest('hex');
}

function sources(folder) {
  return readdirSync(inRoot(folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return ['dist', 'node_modules', 'share'].includes(entry.name) ? [] : sources(path);
    return /\.(ts|json)$/.test(entry.name) ? [path] : [];
  });
}

/**
 * Deletes what was compiled from sources that are gone or have moved, which the compiler leaves behind: `x.js` would be
 * found before the folder `x` that took its place.
 */
function removeStale(project) {
  const dist = inRoot(project, 'dist');
  if (!existsSync(dist)) return;
  for (const path of readdirSync(dist, { recursive: true })) {
    const source = path.replace(/\.(js|d\.ts)(\.map)?$/, '.ts');
    if (source !== path && !existsSync(inRoot(project, source))) rmSync(join(dist, path));
  }
}

function build() {
  if (!existsSync(inRoot('tsconfig.json'))) return; // what students get is built already
  const record = inRoot('lib', 'dist', '.built'); // written after a build without errors only
  const now = fingerprint();
  const complete = projects().every((project) => existsSync(inRoot(project, 'dist')));
  if (complete && existsSync(record) && readFileSync(record, 'utf8') === now) return;
  say('Building the library');
  projects().forEach(removeStale);
  // By its path: another package's older compiler may own the name `tsc` in node_modules/.bin
  const compiler = inRoot('node_modules', 'typescript', 'bin', 'tsc');
  const { status } = spawnSync(process.execPath, [compiler, '-b'], { cwd: ROOT, stdio: ['ignore', 2, 2] });
  if (status !== 0)
    stop(
      'The library does not compile; the errors are above. In a fresh copy of the project this is a mistake of ours: please report it.',
    );
  mkdirSync(dirname(record), { recursive: true });
  writeFileSync(record, now);
}

checkNode();
install();
build();
