import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCompiler } from '../../../grader/compile/service';
import { closeBook, openBook } from '../../../grader/gradebook/book';
import { bookFile, gradeFolder, regrade, type BatchOptions } from '../../../grader/gradebook/grade-folder';
import { claim, enrol, record } from '../../../grader/gradebook/jobs';
import { rows, setOverride } from '../../../grader/gradebook/verdicts';
import { grades } from '../../../grader/gradebook/grades';
import { select } from '../../../grader/gradebook/select';
import { writePolicy, policySchema } from '../../../grader/gradebook/policy';
import { createPool } from '../../../grader/grading/pool';
import { entry, fillBook, verdict, withBook } from '../book-helpers';
import { cellsOf } from '../grading-helpers';

let scratch = '';
let folder = '';
let out = '';

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'mishaps-'));
  [folder, out] = [join(scratch, 'submissions'), join(scratch, 'graded')];
  mkdirSync(folder);
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

const handIn = (...names: string[]) => names.forEach((name) => writeFileSync(join(folder, `${name}.ipynb`), name));

function options(more: Partial<BatchOptions> = {}): BatchOptions & { readonly judged: string[] } {
  const judged: string[] = [];
  const grade = async ({ student, file }: { student: string; file: string }) => {
    judged.push(student);
    return verdict(student, 1, { file });
  };
  return { folder, out, jobs: 1, seed: 'seed', bundleOf: async () => 'bundle', grade, ...more, judged };
}

const marks = () => withBook(out, (book) => [...rows(book)].map(({ name, result }) => [name, result.points]));

describe('submissions that are not where they were', () => {
  test('a folder named from where one stands is found from elsewhere', async () => {
    handIn('ada');
    await gradeFolder(options({ folder: relative(process.cwd(), folder) }));
    const [row] = withBook(out, (book) => [...rows(book)]);
    expect(row!.file).toBe(join(folder, 'ada.ipynb'));
  });

  test('a book with paths from where one stood is regraded by its folder', async () => {
    handIn('ada');
    await gradeFolder(options());
    withBook(out, ({ db }) => db.exec("update submission set file = 'elsewhere/ada.ipynb'"));
    const again = options();
    await regrade(out, ['ada'], again);
    expect(again.judged).toEqual(['ada']);
    expect(withBook(out, (book) => [...rows(book)][0]!.file)).toBe(join(folder, 'ada.ipynb'));
  });

  test('regrading refuses and leaves every mark, until the folder is named again', async () => {
    handIn('ada', 'bea');
    await gradeFolder(options());
    const moved = join(scratch, 'moved');
    renameSync(folder, moved);
    const again = options();
    await expect(regrade(out, ['ada', 'bea'], again)).rejects.toThrow(
      `2 of these 2 submissions are not where they were, the first of them ${join(folder, 'ada.ipynb')}; put them back`,
    );
    expect(again.judged).toEqual([]);
    expect(marks()).toEqual([
      ['ada', 1],
      ['bea', 1],
    ]);
    const resumed = options({ folder: moved, resume: true });
    await gradeFolder(resumed);
    expect(resumed.judged).toEqual([]);
    await regrade(out, ['ada'], again);
    expect(again.judged).toEqual(['ada']);
  });

  test('one that went away before it was judged leaves the book; one that was judged stays', async () => {
    handIn('ada', 'bea');
    const removes = async ({ student, file }: { student: string; file: string }) => {
      if (student === 'bea') rmSync(file);
      return verdict(student);
    };
    const first = await gradeFolder(options({ grade: removes }));
    expect(first.statuses).toEqual({ graded: 1, infra_error: 1 });
    handIn('cleo');
    rmSync(join(folder, 'ada.ipynb'));
    const second = await gradeFolder(options({ resume: true }));
    expect(second).toMatchObject({ all: 2, statuses: { graded: 2 }, withdrawn: ['bea'] });
    expect(marks().map(([name]) => name)).toEqual(['ada', 'cleo']);
    handIn('bea');
    expect(await gradeFolder(options({ resume: true }))).toMatchObject({ all: 3, withdrawn: [] });
  });

  test('an archive alone is no empty folder, and the name of a row may be empty', async () => {
    writeFileSync(join(folder, 'class.zip'), '');
    await expect(gradeFolder(options())).rejects.toThrow('class.zip: an archive; unpack it');
    fillBook(out, [[verdict('')], [verdict('a')]]);
    expect(marks().map(([name]) => name)).toEqual(['', 'a']);
  });
});

describe('a disk', () => {
  test('on which one result cannot be written: it is told, and the others go on', async () => {
    handIn('ada', 'bea', 'cleo');
    mkdirSync(out);
    writeFileSync(join(out, 'bea'), 'a file where a folder should be');
    const report = await gradeFolder(options({ jobs: 2 }));
    expect(report.unwritten).toEqual([{ name: 'bea', why: expect.stringMatching(/EEXIST|ENOTDIR/) }]);
    expect(report.statuses).toEqual({ graded: 3 });
    expect(readFileSync(join(out, 'grades.csv'), 'utf8').trim().split('\r\n')).toHaveLength(4);
    rmSync(join(out, 'bea'));
    const again = options({ resume: true });
    expect((await gradeFolder(again)).unwritten).toEqual([]);
    expect(again.judged).toEqual([]);
    expect(JSON.parse(readFileSync(join(out, 'bea', 'result.json'), 'utf8'))).toMatchObject({ points: 1 });
  });

  test('that is full is told with the remedy, whatever was being written', () => {
    mkdirSync(out);
    const book = openBook(bookFile(out), { create: true });
    try {
      enrol(book, entry('ada'), 'seed');
      const job = claim(book)!;
      const [{ page_count: pages }] = book.db.pragma('page_count') as [{ page_count: number }];
      book.db.pragma(`max_page_count = ${pages}`);
      const long = verdict('ada', 1, { message: 'x'.repeat(1000), notes: Array<string>(50).fill('y'.repeat(1000)) });
      const student = 'z'.repeat(100_000);
      const writes = [
        () => record(book, job, long),
        () => setOverride(book, { ...OVERRIDE, student }),
        () => enrol(book, entry(student), 'seed'),
      ];
      for (const write of writes) expect(write).toThrow(/is full; make room and go on with --resume/);
      book.db.pragma('max_page_count = 100000');
      expect(record(book, job, long)).toBe(true);
    } finally {
      closeBook(book);
    }
  });

  const OVERRIDE = {
    ...{ exercise: 'fixture.total', chapter: '90-fixture', points: 3, maxPoints: 4 },
    ...{ reason: 'r', by: 'me' },
  };
});

describe('when one of several graders fails', () => {
  test('the others stop, and write nothing any more', async () => {
    handIn('a', 'b', 'c', 'd');
    let finish: () => void = () => undefined;
    const late = new Promise<void>((resolve) => (finish = resolve));
    const judged: string[] = [];
    const grade = async ({ student }: { student: string }) => {
      judged.push(student);
      if (student === 'a') throw new Error('the disk is gone');
      await late;
      return verdict(student);
    };
    await expect(gradeFolder(options({ grade, jobs: 2 }))).rejects.toThrow('the disk is gone');
    finish();
    await late;
    expect(judged).toEqual(['a', 'b']);
    expect(marks()).toEqual([]);
    const again = options({ resume: true });
    await gradeFolder(again);
    expect(again.judged).toEqual(['a', 'b', 'c', 'd']);
  });

  test('nothing is started once pool and compiler are closed', async () => {
    const compiler = createCompiler();
    const pool = createPool(compiler);
    pool.close();
    compiler.close();
    const submission = { student: 'ada', file: join(folder, 'ada.ipynb') };
    expect(await pool.grade({ submission, seed: '' })).toMatchObject({
      status: 'infra_error',
      message: 'the grading is over',
    });
    await expect(compiler.compile(cellsOf('const f = 1;'), ['f'])).rejects.toThrow('the compile service is closed');
  });
});

describe('one name in two forms of Unicode', () => {
  const [COMPOSED, APART] = ['Ren\u00e9e', 'Rene\u0301e'];

  test('is one student: for attempts, overrides, and whoever is to be graded again', () => {
    fillBook(out, [
      [verdict(`${APART}/1`, 1), 1],
      [verdict(`${COMPOSED}/2`, 2), 2],
      [verdict(`${APART}/3`, 3), 3],
    ]);
    withBook(out, (book) => {
      writePolicy(book, policySchema.parse({ student: '^([^/]+)/' }));
      expect([...grades(book)]).toMatchObject([{ student: COMPOSED, attempts: 3, points: 3 }]);
      for (const typed of [COMPOSED, APART]) expect(select(book, [typed])).toHaveLength(3);
      expect(select(book, [`${COMPOSED}/1`])).toEqual([`${APART}/1`]);
      // as an older grader wrote it
      setOverride(book, {
        ...{ student: APART, exercise: 'fixture.total', chapter: '90-fixture', points: 4, maxPoints: 4 },
        ...{ reason: 'r', by: 'me' },
      });
      expect([...grades(book)]).toMatchObject([{ points: 4 }]);
    });
  });
});
