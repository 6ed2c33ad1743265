import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { batches, type Dataset, datasets, load, take } from 'dgm';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { read, tensorsLeft } from '../../helpers';

const csv = join(import.meta.dirname, '../../..', 'datasets', 'digits.csv');

describe('digits', () => {
  let digits: Dataset;
  let rows: number[][];
  beforeAll(() => {
    digits = load('digits');
    rows = readFileSync(csv, 'utf8').trim().split('\n').slice(1).map((line) => line.split(',').map(Number)); // prettier-ignore
  });
  afterAll(() => digits.dispose());

  test('has 1,797 examples, split 1,000 / 350 / 447', () => {
    expect(digits.frame.height).toBe(1797);
    for (const [part, n] of [
      ['train', 1000],
      ['validation', 350],
      ['test', 447],
    ] as const) {
      expect(digits[part].x.shape).toEqual([n, 64]);
      expect(digits[part].y.shape).toEqual([n]);
      expect(digits[part].y.dtype).toBe('int32');
    }
    expect(digits.eventShape).toEqual([64]);
    expect(digits.values).toBe(17);
  });

  test('is the file, in its order', () => {
    const parts = [digits.train, digits.validation, digits.test];
    expect(parts.flatMap(({ x }) => Array.from(x.dataSync()))).toEqual(rows.flatMap((row) => row.slice(0, 64)));
    expect(parts.flatMap(({ y }) => Array.from(y.dataSync()))).toEqual(rows.map((row) => row[64]));
  });

  test('has integer pixels 0 … 16, both ends reached, and about as many of each digit', () => {
    const pixels = new Set(rows.flatMap((row) => row.slice(0, 64)));
    expect([...pixels].sort((a, b) => a - b)).toEqual(Array.from({ length: 17 }, (_, v) => v));
    const labels = rows.map((row) => row[64]!);
    const counts = Array.from({ length: 10 }, (_, digit) => labels.filter((label) => label === digit).length);
    // as the UCI repository's description of the test part has them
    expect(counts).toEqual([178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
  });

  test('names its source and licence', () => {
    expect(digits.source).toContain('10.24432/C50P49');
    expect(digits.licence).toBe('CC BY 4.0');
  });

  test('is given back whole', async () => {
    expect(await tensorsLeft(() => load('digits').dispose())).toBe(0);
  });
});

describe('load', () => {
  let folder: string;
  const dgmData = process.env['DGM_DATA'];
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'dgm-data-'));
  });
  afterEach(() => {
    if (dgmData === undefined) delete process.env['DGM_DATA'];
    else process.env['DGM_DATA'] = dgmData;
    rmSync(join(folder, 'digits.csv'), { force: true });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('knows the names in the manifest', () => {
    expect(datasets()).toContain('digits');
    expect(() => load('no-such-set')).toThrow(/^load: unknown data set 'no-such-set'; the manifest has .*digits/);
    expect(() => load('constructor')).toThrow("load: unknown data set 'constructor'");
  });

  test('says where a missing file was looked for, and what to do', () => {
    const message = `load: the file of 'digits' is missing: ${join(folder, 'digits.csv')}`;
    expect(() => load('digits', folder)).toThrow(message);
    process.env['DGM_DATA'] = folder;
    expect(() => load('digits')).toThrow(message);
  });

  test('refuses a file with one byte changed', () => {
    const bytes = readFileSync(csv);
    bytes[bytes.length - 2]! ^= 1; // the last label
    writeFileSync(join(folder, 'digits.csv'), bytes);
    expect(() => load('digits', folder)).toThrow(/digits\.csv is damaged or another version: expected sha256 067c897c/);
  });

  test.each([
    ['CRLF, as Git for Windows writes by default', (text: string) => text.replaceAll('\n', '\r\n')],
    ['CRLF in some lines', (text: string) => text.replace(/\n(.*)\n/, '\r\n$1\n')],
    ['a CR before the end of the file', (text: string) => `${text.trimEnd()}\r\n`],
  ])('reads the same numbers from a file with %s', (_, change) => {
    writeFileSync(join(folder, 'digits.csv'), change(readFileSync(csv, 'utf8')));
    const [here, there] = [load('digits'), load('digits', folder)];
    expect(read(there.test.x)).toEqual(read(here.test.x));
    expect(read(there.test.y)).toEqual(read(here.test.y));
    here.dispose();
    there.dispose();
  });

  test('names a remedy that helps: with Git, and without', () => {
    writeFileSync(join(folder, 'digits.csv'), 'other');
    expect(() => load('digits', folder)).toThrow(/; take the folder datasets again from where you have the workbook/);
    const clone = join(folder, 'clone');
    const git = (...args: string[]) => execFileSync('git', ['-C', clone, '-c', 'user.name=x', '-c', 'user.email=x', ...args]); // prettier-ignore
    mkdirSync(join(clone, 'datasets'), { recursive: true });
    copyFileSync(csv, join(clone, 'datasets', 'digits.csv'));
    git('init', '-q');
    git('add', '.');
    git('commit', '-qm', 'data');
    writeFileSync(join(clone, 'datasets', 'digits.csv'), 'other');
    const at = clone.replace(/[\\.]/g, '.');
    expect(() => load('digits', join(clone, 'datasets'))).toThrow(
      new RegExp(`; delete it if it is there, then restore it in ${at} with: git checkout datasets$`),
    );
    rmSync(join(clone, 'datasets', 'digits.csv'));
    git('checkout', '-q', 'datasets');
    load('digits', join(clone, 'datasets')).dispose();
    rmSync(clone, { recursive: true });
  });

  test('the committed bytes reach every system, whatever its Git is told to do with line ends', () => {
    const root = join(import.meta.dirname, '../../..');
    const files = ['datasets/digits.csv', 'lib/index.ts', 'package.json', 'notebooks/00-start.ipynb'];
    const attributes = execFileSync('git', ['-C', root, 'check-attr', 'text', 'eol', '--', ...files], {
      encoding: 'utf8',
    });
    expect(attributes).toContain('datasets/digits.csv: text: unset');
    for (const file of files.slice(1)) expect(attributes).toContain(`${file}: eol: lf`);
  });

  test('reads from the folder that DGM_DATA names', () => {
    copyFileSync(csv, join(folder, 'digits.csv'));
    process.env['DGM_DATA'] = folder;
    const loaded = load('digits');
    expect(loaded.train.x.shape).toEqual([1000, 64]);
    loaded.dispose();
  });

  test('an empty DGM_DATA names no folder', () => {
    process.env['DGM_DATA'] = '';
    load('digits').dispose();
  });
});

describe('batches', () => {
  const data = {
    x: tf.tensor2d([
      [0, 1],
      [2, 3],
      [4, 5],
      [6, 7],
      [8, 9],
    ]),
    y: tf.tensor1d([0, 1, 2, 3, 4], 'int32'),
  };

  test('cover the examples in order, the last one smaller', () => {
    const seen = [...batches(data, 2).entries()].map(([index, { x, y }]) => [index, read(x), read(y!)]);
    expect(seen).toEqual([
      [0, [0, 1, 2, 3], [0, 1]],
      [1, [4, 5, 6, 7], [2, 3]],
      [2, [8, 9], [4]],
    ]);
  });

  test('live one at a time', async () => {
    const left = await tensorsLeft(() => {
      for (const [, batch] of batches(data, 2).entries()) batch.dispose();
    });
    expect(left).toBe(0);
  });

  test('without labels have none', () => {
    expect('y' in take({ x: data.x }, Int32Array.of(1))).toBe(false);
  });

  test('refuse a size or data that make no sense', () => {
    for (const size of [0, -1, 1.5])
      expect(() => batches(data, size)).toThrow(`batch size must be an integer ≥ 1, got ${size}`);
    expect(() => batches({ x: tf.zeros([0, 2]) }, 2)).toThrow('x must be [N, ...event] with N ≥ 1, got [0, 2]');
    expect(() => batches({ ...data, y: tf.zeros([4]) }, 2)).toThrow('y must have N = 5 labels, got [4]');
  });
});
