import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { addressOf, nameOf, pathOf } from '../../../grader/base/file-names';
import { readSubmission } from '../../../grader/compile/reader';
import { chapterOf, contentOf, submissionTime } from '../../../grader/gradebook/arrival';
import { findSubmissions } from '../../../grader/gradebook/folder';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'folder-'));
});
// Node's own way names files by their whole path, which may be too long
afterEach(() => spawnSync('rm', ['-rf', folder]));

const NOTEBOOK = '{"nbformat": 4, "cells": [], "metadata": {"dgm": {"chapter": "00-start"}}}';

/** A name in Latin-1, as an older zip has it. */
const latin1 = (name: string) => Buffer.from(name, 'latin1');

function handIn(...names: (string | Buffer)[]): void {
  for (const name of names) {
    const path = Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(name)]);
    if (typeof name === 'string') mkdirSync(dirname(path.toString()), { recursive: true });
    writeFileSync(path, NOTEBOOK);
  }
}

describe('names', () => {
  test.each([
    [
      ['a.ipynb', 'b/c.ipynb'],
      ['a', 'b/c'],
    ],
    [
      ['UPPER.IPYNB', 'Mixed.Ipynb'],
      ['Mixed', 'UPPER'],
    ],
    [
      ['a.ipynb', 'a.IPYNB'],
      ['a', 'a.IPYNB'],
    ],
    [
      ['.ipynb', 'x/.ipynb', 'x.ipynb'],
      ['.ipynb', 'x', 'x/.ipynb'],
    ],
    [
      ['..ipynb', 'a b.ipynb', 'ünï.ipynb', '-x.ipynb'],
      ['-x', '.', 'a b', 'ünï'],
    ],
    [['.ipynb_checkpoints/a.ipynb', 'a.ipynb'], ['a']],
    [[latin1('M\xfcller.ipynb')], ['M%FCller']],
    [
      [latin1('M\xfcller.ipynb'), 'M%FCller.ipynb'],
      ['M%FCller', 'M%FCller.ipynb'],
    ],
    [
      [latin1('\xfc.ipynb'), latin1('\xfc.IPYNB'), '%FC.ipynb'],
      ['%FC', '%FC.IPYNB', '%FC.ipynb'],
    ],
    [
      ['line\nfeed.ipynb', 'tab\t.ipynb'],
      ['line\nfeed', 'tab\t'],
    ],
  ])('%j', async (names, wanted) => {
    handIn(...names);
    const { submissions, passedOver } = await findSubmissions(folder);
    expect(submissions.map(({ student }) => student)).toEqual(wanted);
    expect(passedOver).toEqual([]);
    // whatever the name, each can be read, hashed and dated
    for (const { student, file } of submissions) {
      expect(await chapterOf(file)).toBe('00-start');
      expect(await contentOf(file)).toMatch(/^[0-9a-f]{64}$/);
      expect(await submissionTime(student, file)).toMatchObject({ submittedFrom: 'mtime' });
    }
  });

  test('a path of any bytes survives as text', () => {
    for (const name of ['a', 'ü', 'a%FCb', 'file:', latin1('\xfc %/\x80\xff'), latin1('a\n\xfe')]) {
      const path = Buffer.concat([Buffer.from('/x/'), Buffer.from(name)]);
      expect(Buffer.from(pathOf(addressOf(path)))).toEqual(path);
      expect(nameOf(path)).not.toContain('\ufffd');
    }
  });
});

describe('what is no submission', () => {
  test.each(['class.zip', 'class.tar.gz', 'b/late.7z', 'a.ipynb.txt', 'a.ipynb.json'])(
    '%s is told of',
    async (name) => {
      handIn('a.ipynb', name);
      const { submissions, passedOver } = await findSubmissions(folder);
      expect(submissions).toHaveLength(1);
      expect(passedOver).toEqual([{ name, why: expect.stringMatching(/unpack it|must end in .ipynb/) }]);
    },
  );

  test('a link is told of; one that bears a notebook’s name is judged as what it is', async () => {
    handIn('real/a.ipynb');
    symlinkSync(join(folder, 'real'), join(folder, 'link'));
    symlinkSync(join(folder, 'real', 'a.ipynb'), join(folder, 'b.ipynb'));
    const { submissions, passedOver } = await findSubmissions(folder);
    expect(submissions.map(({ student }) => student)).toEqual(['b', 'real/a']);
    expect(passedOver).toEqual([{ name: 'link', why: expect.stringContaining('a link is not followed') }]);
    await expect(readSubmission(submissions[0]!.file)).rejects.toThrow('a symbolic link is not followed');
  });

  test('other files are not, nor is the folder of the results', async () => {
    handIn('a.ipynb', 'report.pdf', 'graded/b.ipynb');
    const { submissions, passedOver } = await findSubmissions(folder, join(folder, 'graded'));
    expect(submissions.map(({ student }) => student)).toEqual(['a']);
    expect(passedOver).toEqual([]);
  });

  test('a folder so deep that nobody can list it is one unreadable submission', async () => {
    handIn('a.ipynb');
    const cwd = process.cwd();
    process.chdir(folder);
    for (let i = 0; i < 20; i++) {
      mkdirSync('d'.repeat(250));
      process.chdir('d'.repeat(250));
    }
    process.chdir(cwd);
    const { submissions } = await findSubmissions(folder);
    expect(submissions).toHaveLength(2);
    await expect(readSubmission(submissions[1]!.file)).rejects.toThrow(/cannot be read \(ENAMETOOLONG\)|is a folder/);
  });
});
