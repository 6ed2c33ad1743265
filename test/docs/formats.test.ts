import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRng, fit, gaussianMixture, saveCheckpoint, saveWeights } from 'dgm';
import { loadJson } from '../../lib/core/weights';
import { afterAll, expect, test } from 'vitest';
import { closeBook, openBook } from '../../grader/gradebook/book';
import { resultSchema } from '../../grader/grading/result';
import { recordTry } from '../../grader/student/progress';
import { ROOT } from './pages';

// What the changelog says of the formats that others keep is what the code writes.

const folder = mkdtempSync(join(tmpdir(), 'dgm-formats-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** By the first words of its row. */
function versionsIn(text: string): Record<string, number> {
  const rows = text.matchAll(/^\| ([^|]+) \| (\d+) \|/gm);
  return Object.fromEntries(Array.from(rows, ([, name, version]) => [name!.replaceAll('`', ''), Number(version)]));
}

const tiny = () => gaussianMixture.create(gaussianMixture.tiny.config, createRng(1));
const at = (name: string) => join(folder, name);
const versionOf = (value: unknown): number => (value as { version: number }).version;

const written: Readonly<Record<string, () => number | Promise<number>>> = {
  'result.json of a submission': () => resultSchema.shape.version.value,
  'gradebook (user_version of the SQLite file)': () => {
    const book = openBook(at('book.sqlite'), { create: true });
    const [row] = book.db.prepare('pragma user_version').all() as { user_version: number }[];
    closeBook(book);
    return row!.user_version;
  },
  'grader/release.json of a release': () => {
    const text = readFileSync(join(ROOT, 'grader/base/release-manifest.ts'), 'utf8');
    return Number(/readonly version: (\d+);/.exec(text)![1]);
  },
  'checkpoint of a training, dgm-checkpoint': async () => {
    const model = tiny();
    const x = model.sample({ count: 20, rng: createRng(2) });
    const options = { epochs: 1, batchSize: 10, rng: createRng(3), quiet: true } as const;
    const { checkpoint } = await fit(model, { train: { x } }, options);
    saveCheckpoint(checkpoint, at('checkpoint.json'));
    return versionOf(loadJson(at('checkpoint.json')));
  },
  'weights of a model, dgm-weights': () => {
    saveWeights(tiny(), at('weights.json'));
    return versionOf(loadJson(at('weights.json')));
  },
  '.progress.json': () => {
    recordTry('mixture.mStep', false, 'a try');
    return versionOf(JSON.parse(readFileSync(process.env['DGM_PROGRESS']!, 'utf8')));
  },
};

const changelog = versionsIn(readFileSync(join(ROOT, 'CHANGELOG.md'), 'utf8'));

test.each(Object.entries(written))('%s', async (name, version) => expect(changelog[name]).toBe(await version()));

test('no other format has a row, but for the metadata of notebooks, which have no number', () =>
  expect(Object.keys(changelog).filter((name) => !(name in written))).toEqual(['metadata dgm of notebooks and cells']));

test('a row with another number is seen', () =>
  expect(versionsIn('| `result.json` of a submission | 2 |')['result.json of a submission']).not.toBe(
    resultSchema.shape.version.value,
  ));
