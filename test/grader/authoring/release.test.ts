import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { leaksIn, needlesOf } from '../../../grader/authoring/leaks';
import { buildFromFile, solutionCells } from '../../../grader/authoring/notebooks';
import { proveRelease, release } from '../../../grader/authoring/release';
import { fromBase64, parseRelease, toBase64, type Release } from '../../../grader/base/release-manifest';
import { lecturersChapters as chapters } from '../../fixtures/course/hidden';
import { course } from '../grading-helpers';

const ROOT = resolve(import.meta.dirname, '../../..');

let scratch = '';
let out = '';
let breaches: readonly string[] = [];
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'release-test-'));
  out = join(scratch, 'students');
  ({ breaches } = await release({ chapters, course, out, solutions: 'after-tries:2' }));
});
afterAll(() => rm(scratch, { recursive: true }));

const read = (path: string) => readFile(join(out, path), 'utf8');
const json = async (path: string) => JSON.parse(await read(path)) as Record<string, never>;

describe('a release', () => {
  test('shows no solution and no hidden check', () => expect(breaches).toEqual([]));

  test('has what a student needs, and nothing of what makes the course', async () => {
    const files = await readdir(out, { recursive: true });
    const needed = ['README.md', 'LICENSE', 'notebooks/90-fixture.ipynb', 'lib/index.ts', 'lib/dist/index.d.ts'];
    for (const path of [...needed, 'jupyter/share/kernels/dgm/kernel.json', 'grader/bin/grade.mjs', '.npmrc'])
      expect(files).toContain(path);
    for (const kept of [
      /hidden\//,
      /solutions\//,
      /^test\//,
      /node_modules/,
      /(^|\/)bench\//,
      /tsbuildinfo/,
      /^grader\/.*\.map$/,
    ])
      expect(files.filter((path) => kept.test(path))).toEqual([]);
  });

  test('installs without what only development needs', async () => {
    const [project, lockFile] = [await json('package.json'), await json('package-lock.json')];
    expect(Object.keys(project['scripts']!).sort()).toEqual([
      'doctor',
      'kernel',
      'predoctor',
      'prekernel',
      'prestart',
      'start',
    ]);
    expect(project).not.toHaveProperty('devDependencies');
    const packages = Object.entries(lockFile['packages']!) as [string, Record<string, object>][];
    expect(packages.filter(([, entry]) => entry['dev'])).toEqual([]);
    // whatever one of them needs is there
    const names = new Set(packages.map(([path]) => path.replace(/^.*node_modules\//, '')));
    const required = packages.flatMap(([, entry]) => Object.keys(entry['dependencies'] ?? {}));
    expect(required.length).toBeGreaterThan(50);
    expect(required.filter((name) => !names.has(name))).toEqual([]);
  });

  test('says when solutions open, and has them in base64', async () => {
    const about = JSON.parse(await read('grader/release.json')) as Release;
    const cells = solutionCells(await buildFromFile('90-fixture', course, chapters));
    expect(about).toMatchObject({ version: 2, chapters: ['90-fixture'], solutions: 'after-tries:2' });
    expect(Object.keys(about.base64)).toEqual([...cells.keys()]);
    for (const [id, text] of cells) expect(fromBase64(about.base64[id]!, id)).toBe(text);
  });

  test('that never opens solutions has none', async () => {
    const never = join(scratch, 'never');
    await release({ chapters, course, out: never, solutions: 'never' });
    expect(JSON.parse(await readFile(join(never, 'grader/release.json'), 'utf8'))).toMatchObject({ base64: {} });
  });

  test('is not written over something else', async () => {
    await expect(release({ chapters, course, out, solutions: 'never' })).rejects.toThrow('is not empty');
  });
});

describe('the proof', () => {
  /** What is wrong once a file is in the release, or has another text. */
  async function after(path: string, edit: (text: string) => string): Promise<string[]> {
    const file = join(out, path);
    const before = await readFile(file, 'utf8').catch(() => undefined);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, edit(before ?? ''));
    try {
      return await proveRelease({ chapters, course, out });
    } finally {
      await (before === undefined ? rm(file) : writeFile(file, before));
    }
  }

  const line = 'const shifted = x.sub(x.max(-1, true)); // [B, D]';

  test.each([
    ['a source', 'lib/notes.ts', () => `// like this:\n${line}`],
    ['a comment in a declaration', 'grader/dist/x.d.ts', () => `/** ${line} */\nexport {};`],
    ['another format', 'lib/notes.ts', () => 'const shifted =\n  x.sub(\n    x.max(-1, true),\n  )'],
    ['the comment of a solution left out', 'lib/dist/x.js', () => 'const shifted = x.sub(x.max(-1, true));'],
    ['what the compiler makes of it', 'lib/dist/x.js', () => 'return x.mean().dataSync()[0];'],
    ['a source map', 'lib/dist/x.js.map', () => JSON.stringify({ sourcesContent: [`a\n\t${line}\n`] })],
    ['a text in JSON', 'datasets/x.json', () => JSON.stringify({ a: [{ b: `"${line}"` }] })],
    ['the notebook', 'notebooks/90-fixture.ipynb', (t: string) => t.replace('throw new NotWritten', `${line} throw`)],
  ])(
    'finds a line in %s',
    async (_, path, edit) => {
      const found = await after(path, edit as (text: string) => string);
      expect(found).toEqual([expect.stringContaining(path)]);
    },
    60_000,
  );

  test('finds the name of a hidden check', async () => {
    const found = await after('README.md', (text) => `${text}\nshifting x changes nothing`);
    expect(found).toEqual(["README.md names the hidden check 'shifting x changes nothing'"]);
  });

  test('fails without files to look at', async () => {
    expect(await proveRelease({ chapters, course, out: join(scratch) })).toContain('package.json is missing');
  });

  test('is not misled by brackets and other common phrases', async () => {
    const { solutions } = await buildFromFile('90-fixture', course, chapters);
    const needles = needlesOf(solutions);
    expect(needles.length).toBeGreaterThan(5);
    expect(leaksIn('return sum;\n}\n{\n', needles)).toEqual([]);
  });
});

describe('solutions in base64', () => {
  test('come back as they were', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(fromBase64(toBase64(text), 'a.b')).toBe(text);
      }),
    );
  });

  test('show nothing to whoever searches for a line', () => {
    expect(toBase64('const answer = 42;')).not.toContain('answer');
  });

  test.each(['const answer', `${toBase64('const answer = 42;')}!`, toBase64('ab').slice(0, -1)])(
    'that were changed are said to be damaged: %s',
    (text) => expect(() => fromBase64(text, 'a.b')).toThrow('the solution of a.b is damaged'),
  );
});

describe('release.json', () => {
  const about: Release = { version: 2, chapters: ['90-fixture'], solutions: 'never', base64: {} };

  test('is read as it was written', () => {
    expect(parseRelease(JSON.stringify(about), 'release.json')).toEqual(about);
  });

  test('of another version is refused, and says what to do', () => {
    // version 1 had the solutions encrypted, under `locked`
    const old = JSON.stringify({ ...about, version: 1, locked: { 'a.b': { salt: '', iv: '', tag: '', text: '' } } });
    expect(() => parseRelease(old, 'grader/release.json')).toThrow(
      'grader/release.json: expected version 2, got 1; a release is read by the grader that came in it',
    );
  });
});

describe('the command', () => {
  const grade = (from: string, ...args: string[]) => {
    const env = { ...process.env, DGM_PROGRESS: join(scratch, 'progress.json') };
    const bin = join(from, 'grader/bin/grade.mjs');
    const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args], { encoding: 'utf8', env });
    return { status, output: stdout + stderr };
  };

  test('releases a chapter, and that release releases nothing', async () => {
    const folder = join(scratch, 'chapter 3');
    const { status, output } = grade(ROOT, 'release', '03', '--out', folder, '--solutions', 'after-tries:1');
    expect(output).toContain('03-mixtures; no solution, no hidden check');
    expect(status).toBe(0);
    // as npm would install it, but from here
    await mkdir(join(folder, 'node_modules'));
    for (const name of await readdir(join(ROOT, 'node_modules'))) {
      const ours = name === 'dgm' ? join(folder, 'lib') : name === 'grader' ? join(folder, 'grader') : undefined;
      await symlink(ours ?? join(ROOT, 'node_modules', name), join(folder, 'node_modules', name), 'junction');
    }
    for (const room of ['lib', 'grader'])
      await symlink(join(ROOT, room, 'node_modules'), join(folder, room, 'node_modules'), 'junction');
    expect(grade(folder, 'release', '03', '--out', join(scratch, 'again')).output).toContain(
      'this is a release already',
    );
    expect(grade(folder, 'hint', 'mixture.emLoop').output).toContain('Hint 1 of 3: ');
    const closed = grade(folder, 'solution', 'mixture.emLoop');
    expect(closed.output).toContain('or after 1 different tries (0 so far)');
    expect(closed.status).toBe(1);
    const tried = { version: 1, exercises: { 'mixture.emLoop': { tries: 1, passed: false, last: '' } } };
    await writeFile(join(scratch, 'progress.json'), JSON.stringify(tried));
    const open = grade(folder, 'solution', 'mixture.emLoop');
    expect(open.output).toContain('function emLoop(');
    expect(open.status).toBe(0);
  });

  test.each([
    [['release', '98', '--out', 'x'], "there is no chapter '98'"],
    [['release', '03'], "required option '--out <folder>' not specified"],
    [['release', '03', '--out', ROOT], 'is not empty'],
    [['release', '03', '--out', 'x', '--solutions', 'after-tries:0'], 'It must be after-pass, never, or after-tries:'],
    [['release', '03', '--out', 'x', '--solutions', 'sometimes'], 'It must be after-pass, never, or after-tries:'],
  ])('refuses %j', (args, message) => {
    const { status, output } = grade(ROOT, ...args);
    expect(output).toContain(message);
    expect(status).toBe(1);
  });
});
