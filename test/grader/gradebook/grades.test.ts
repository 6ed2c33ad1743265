import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { JSDOM } from 'jsdom';
import MarkdownIt from 'markdown-it';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bookFile, folderOf } from '../../../grader/gradebook/grade-folder';
import { feedbackHtml, feedbackMarkdown } from '../../../grader/reports/feedback';
import { classroom, gradescope, junit } from '../../../grader/reports/documents';
import { gradeTable, nbgraderTable, notOnRoster } from '../../../grader/reports/tables';
import { readRoster, type Roster } from '../../../grader/gradebook/roster';
import { readTimestamps, submissionTime } from '../../../grader/gradebook/arrival';
import { closeBook, openBook, type Book } from '../../../grader/gradebook/book';
import { removeOverride, setOverride } from '../../../grader/gradebook/verdicts';
import { grades, type Grade } from '../../../grader/gradebook/grades';
import { keptShare, lateDays, policySchema, writePolicy, type Policy } from '../../../grader/gradebook/policy';
import { select } from '../../../grader/gradebook/select';
import type { CheckResult, SubmissionResult } from '../../../grader/grading/result';
import { itemStatistics, statisticsTable } from '../../../grader/reports/statistics';
import { exercise, fillBook, verdict, withBook } from '../book-helpers';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const DEADLINE = Date.parse('2026-01-31T22:59:00Z');

let out = '';
beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), 'grades-'));
});
afterEach(() => rmSync(out, { recursive: true, force: true }));

const policy = (more: Partial<Policy> = {}) => policySchema.parse(more);

function gradesOf(more: Partial<Policy> = {}): Grade[] {
  return withBook(out, (book) => {
    writePolicy(book, policy(more));
    return [...grades(book)];
  });
}

const override = (student: string, points: number) => ({
  ...{ student, exercise: 'fixture.total', chapter: '90-fixture', points, maxPoints: 4 },
  ...{ reason: 'right, but named otherwise', by: 'J. Doe' },
});

describe('lateness', () => {
  test('is counted in days begun after the deadline; the grace forgives and does not move it', () => {
    const rule = policy({ deadlineMs: DEADLINE, graceMs: HOUR });
    const days = [0, 1, HOUR, HOUR + 1, DAY, DAY + 1, 3 * DAY].map((late) => lateDays(rule, DEADLINE + late));
    expect(days).toEqual([0, 0, 0, 1, 1, 2, 3]);
    expect(lateDays(policy(), DEADLINE + DAY)).toBe(0);
  });

  test('costs its percent a day, never more than all, or everything', () => {
    expect([0, 1, 3, 11].map((days) => keptShare(policy({ late: 10 }), days))).toEqual([1, 0.9, 0.7, 0]);
    expect([0, 1].map((days) => keptShare(policy({ late: 'zero' }), days))).toEqual([1, 0]);
    expect(keptShare(policy(), 5)).toBe(1);
  });

  test('comes off the points, and both are told', () => {
    fillBook(out, [
      [verdict('early', 4), DEADLINE - DAY],
      [verdict('late', 3), DEADLINE + DAY + 1],
    ]);
    expect(gradesOf({ deadlineMs: DEADLINE, late: 25 })).toMatchObject([
      { student: 'early', raw: 4, lateDays: 0, penalty: 0, points: 4 },
      { student: 'late', raw: 3, lateDays: 2, penalty: 1.5, points: 1.5 },
    ]);
  });
});

describe('the time of a submission', () => {
  test('is the file’s, or that of the timestamps file, of which none may be missing', async () => {
    const [file, times] = [join(out, 'a.ipynb'), join(out, 'times.csv')];
    writeFileSync(file, '');
    utimesSync(file, 1000, 1000);
    expect(await submissionTime('a', file)).toEqual({ submittedMs: 1_000_000, submittedFrom: 'mtime' });
    writeFileSync(times, 'name,time\r\na,2026-01-31T23:59:00+01:00\r\n"b, c",2026-02-01T00:00:00Z\r\n\r\n');
    const timestamps = await readTimestamps(times);
    expect([...timestamps]).toEqual([
      ['a', DEADLINE],
      ['b, c', Date.parse('2026-02-01T00:00:00Z')],
    ]);
    expect(await submissionTime('a', file, timestamps)).toEqual({
      submittedMs: DEADLINE,
      submittedFrom: 'timestamps',
    });
    await expect(submissionTime('d', file, timestamps)).rejects.toThrow("no line for 'd'");
  });

  test.each([
    ['a', 'times.csv:2: expected name,time'],
    ['a,2026-01-31T23:59:00', 'expected a time with its zone'],
    ['a,2026-13-31T23:59:00Z', 'expected a time with its zone'],
  ])('is refused with file and line: %s', async (line, says) => {
    const times = join(out, 'times.csv');
    writeFileSync(times, `name,time\n${line}\n`);
    await expect(readTimestamps(times)).rejects.toThrow(says);
  });
});

describe('of several attempts', () => {
  const student = '^([^/]+)/';

  test('the last or the best counts; of equals the earlier', () => {
    fillBook(out, [
      [verdict('ada/1', 2), 100],
      [verdict('ada/2', 3), 200],
      [verdict('ada/3', 3), 300],
      [verdict('ada/4', 1), 400],
      [verdict('bob/1', 4), 100],
    ]);
    const chosen = (which: Policy['attempts'], more: Partial<Policy> = {}) =>
      gradesOf({ student, attempts: which, ...more }).map(({ row, attempts }) => [row.name, attempts]);
    expect(chosen('last')).toEqual([
      ['ada/4', 4],
      ['bob/1', 1],
    ]);
    expect(chosen('best')[0]).toEqual(['ada/2', 4]);
    // an attempt in time beats a better one that lateness ruins
    expect(chosen('best', { deadlineMs: 150, late: 'zero' })[0]).toEqual(['ada/1', 4]);
  });

  test('every file is a student of its own unless a pattern says who', () => {
    fillBook(out, [[verdict('ada/1')], [verdict('ada/2')]]);
    expect(gradesOf().map(({ student }) => student)).toEqual(['ada/1', 'ada/2']);
    expect(gradesOf({ student }).map(({ student }) => student)).toEqual(['ada']);
  });

  test('chapters are graded apart, and what cannot be read counts for the only chapter there is', () => {
    const torn = verdict('ada/2', 0, { chapter: null, status: 'unreadable', message: 'torn', exercises: [] });
    fillBook(out, [
      [verdict('ada/1', 3), 100],
      [torn, 200],
    ]);
    expect(gradesOf({ student })).toMatchObject([{ chapter: '90-fixture', attempts: 2, points: 0, maxPoints: 4 }]);
    fillBook(out, [[verdict('ada/other', 1, { chapter: '91-other' }), 50]]);
    const apart = gradesOf({ student }).map(({ chapter, points }) => [chapter, points]);
    expect(apart).toEqual([
      [null, 0],
      ['90-fixture', 3],
      ['91-other', 1],
    ]);
  });

  test('what we failed to grade is no mark', () => {
    fillBook(out, [[verdict('ada/1', 0, { status: 'infra_error', message: 'ours' })]]);
    expect(gradesOf()).toMatchObject([{ raw: null, points: null, penalty: 0 }]);
    expect(withBook(out, (book) => [...gradeTable(book)])[1]).toContain('ada/1,90-fixture,infra_error,,4,,,0,0,');
  });
});

describe('an override', () => {
  test('replaces the points of its exercise before lateness, and can be taken back', () => {
    fillBook(out, [[verdict('ada', 1), DEADLINE + 1], [verdict('bob', 1)]]);
    withBook(out, (book) => setOverride(book, override('ada', 4)));
    expect(gradesOf({ deadlineMs: DEADLINE, late: 50 })).toMatchObject([
      { student: 'ada', raw: 4, points: 2 },
      { student: 'bob', raw: 1, points: 1 },
    ]);
    const [, ada] = withBook(out, (book) => [...gradeTable(book)]);
    expect(ada).toContain('fixture.total: set to 4 by J. Doe: right, but named otherwise');
    expect(withBook(out, (book) => removeOverride(book, 'ada', 'fixture.total'))).toBe(true);
    expect(withBook(out, (book) => removeOverride(book, 'ada', 'fixture.total'))).toBe(false);
    expect(gradesOf()[0]).toMatchObject({ points: 1 });
  });

  test('can give points to a notebook that could not be read', () => {
    const torn = verdict('ada', 0, { chapter: null, status: 'unreadable', message: 'torn', exercises: [] });
    fillBook(out, [[torn], [verdict('bob', 1)]]);
    withBook(out, (book) => setOverride(book, override('ada', 2)));
    expect(gradesOf()[0]).toMatchObject({ student: 'ada', chapter: '90-fixture', points: 2, maxPoints: 4 });
  });
});

test('submissions are selected by student, exercise or status; what is the name of nothing is refused', () => {
  const late = exercise('fixture.softmax', 0, { status: 'timeout' });
  fillBook(out, [[verdict('ada/1')], [verdict('ada/2', 0, { exercises: [late] })], [verdict('bob')]]);
  gradesOf({ student: '^([^/]+)/' });
  const selected = (...wanted: string[]) => withBook(out, (book) => select(book, wanted));
  expect(selected()).toEqual(['ada/1', 'ada/2', 'bob']);
  expect(selected('ada')).toEqual(['ada/1', 'ada/2']);
  expect(selected('timeout')).toEqual(['ada/2']);
  expect(selected('fixture.softmax', 'bob')).toEqual(['ada/2', 'bob']);
  expect(selected('died')).toEqual([]);
  expect(() => selected('fixture.sofmax')).toThrow('did you mean fixture.softmax?');
});

/** What hidden checks are about, in every field that could tell it. */
const SECRET = 'top secret';
const hidden = (status: CheckResult['status']): CheckResult => ({
  ...{ name: SECRET, hidden: true, status, expected: SECRET, got: SECRET, input: SECRET, hint: SECRET },
  message: SECRET,
});

const HOSTILE = `<script>alert("x")</script> <img src=x onerror=alert(1)> ]]> \u0001 \`\`\` [x](javascript:a) http://evil.example`;

/** A class with everything that makes formats break. */
function fillClass(): void {
  const checks: CheckResult[] = [
    { name: 'holds', status: 'passed' },
    { name: 'each row sums to 1', status: 'failed', expected: '1', got: '2', input: 'tensor [1]', hint: 'axis' },
    { name: 'throws', status: 'error', message: `threw Error: ${HOSTILE}` },
    hidden('failed'),
  ];
  const total = exercise('fixture.total', 1, { checks });
  const passes = exercise('fixture.softmax', 4, { checks: [{ name: 'holds', status: 'passed' }, hidden('passed')] });
  const slow = exercise('fixture.jitter', 0, { status: 'timeout', message: HOSTILE });
  fillBook(out, [
    [verdict('=cmd|" /C calc"!A1', 0, { exercises: [total, passes, slow], notes: [HOSTILE] }), DEADLINE + 1],
    [verdict('ünï, "code"', 0, { exercises: [passes] }), DEADLINE],
    [verdict('torn', 0, { chapter: null, status: 'unreadable', message: HOSTILE, exercises: [] })],
    [verdict('ours', 0, { status: 'infra_error', message: 'ours', exercises: [] })],
  ]);
}

const late: Partial<Policy> = { deadlineMs: DEADLINE, late: 10 };

/** Fields of RFC 4180. */
function parseCsv(text: string): string[][] {
  const lines = text.match(/(?:"(?:[^"]|"")*"|[^"\r])*\r\n/g)!;
  return lines.map((line) =>
    [...line.slice(0, -2).matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,"]*))/g)].map(
      ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain!,
    ),
  );
}

describe('exports', () => {
  beforeEach(fillClass);

  test('csv: every line has all fields, and none is a formula', () => {
    gradesOf(late);
    const table = parseCsv(withBook(out, (book) => [...gradeTable(book)].join('')));
    expect(table).toHaveLength(5);
    for (const line of table) {
      expect(line).toHaveLength(table[0]!.length);
      for (const field of line) expect(field).not.toMatch(/^[=+\-@\t]/);
    }
    const at = (name: string) => table[1]![table[0]!.indexOf(name)];
    expect(['student', 'points', 'raw_points', 'late_penalty', 'fixture.jitter'].map(at)).toEqual([
      ...[`'=cmd|" /C calc"!A1`, '4.5', '5', '0.5', '0'],
    ]);
  });

  test('nbgrader-csv: its columns, raw score less penalty is the score', () => {
    gradesOf(late);
    const [header, ...lines] = parseCsv(withBook(out, (book) => [...nbgraderTable(book)].join('')));
    expect(header!.join()).toBe(
      'assignment,duedate,timestamp,student_id,last_name,first_name,email,raw_score,late_submission_penalty,score,max_score',
    );
    expect(lines[0]).toEqual([
      ...['90-fixture', '2026-01-31 22:59:00', '2026-01-31 22:59:00.001000', `'=cmd|" /C calc"!A1`, '', '', ''],
      ...['5', '0.5', '4.5', '12'],
    ]);
    for (const [raw, penalty, score] of lines.map((line) => line.slice(7).map(Number)))
      expect(raw! - penalty!).toBe(score);
  });

  test('gradescope: the score is the grade, the tests the exercises', () => {
    const all = gradesOf(late).map((grade) => [grade, JSON.parse(gradescope(grade)) as GradescopeResults] as const);
    expect(all).toHaveLength(4);
    for (const [grade, { score, tests }] of all) {
      expect(score ?? null).toBe(grade.points);
      expect(tests.map((one) => one.name)).toEqual(grade.exercises.map(({ id }) => id));
      // where there is no score, Gradescope adds up those of the tests: there must be none
      if (grade.points === null) for (const one of tests) expect(Object.keys(one)).not.toContain('score');
      if (grade.points === null) continue;
      expect(tests.reduce((total, one) => total + one.score!, 0)).toBe(grade.raw);
      for (const one of tests) expect(one.status).toBe(one.score === one.max_score ? 'passed' : 'failed');
    }
    expect(JSON.stringify(all.map(([, document]) => document))).not.toContain('"seed"');
  });

  interface GradescopeResults {
    readonly score?: number;
    readonly tests: readonly { name: string; score?: number; max_score?: number; status?: string }[];
  }

  test('one that was graded in part, through a fault of ours, scores nowhere', () => {
    const parts = [
      exercise('fixture.total', 2),
      exercise('fixture.softmax', 0, { status: 'infra_error', message: 'm' }),
    ];
    fillBook(join(out, 'part'), [[verdict('ada', 0, { status: 'infra_error', message: 'm', exercises: parts })]]);
    const [grade] = withBook(join(out, 'part'), (book) => [...grades(book)]);
    const results = JSON.parse(gradescope(grade!)) as GradescopeResults;
    expect(results.tests).toHaveLength(2);
    for (const part of [results, ...results.tests]) expect(part).not.toHaveProperty('score');
    expect(JSON.parse(atob(classroom(grade!)))).toMatchObject({ status: 'error', tests: [] });
  });

  test('how long it took is told in whole seconds: a submission could choose the rest', () => {
    for (const grade of gradesOf(late)) {
      const { execution_time: time } = JSON.parse(gradescope(grade)) as { execution_time: number };
      expect(Number.isInteger(time)).toBe(true);
    }
  });

  describe('with a roster', () => {
    const PEOPLE = [
      'student;id;last_name;first_name;email;group',
      '"=cmd|"" /C calc""!A1";-007;Hopper;Grace;grace@example.org;1',
      '"ünï, ""code""";8;Müller;"Renée ""R.""";r@example.org;2',
      'nobody;+9;None;;;2',
    ].join('\r\n');
    const lines = async (table: (book: Book, roster: Roster) => Iterable<string>) => {
      const file = join(out, 'roster.csv');
      writeFileSync(file, PEOPLE);
      const roster = await readRoster(file);
      return parseCsv(withBook(out, (book) => [...table(book, roster)].join('')));
    };

    test('csv: who handed in nothing has a line, and everybody the names of other systems', async () => {
      const [header, ...rows] = await lines(gradeTable);
      const at = (row: readonly string[], ...names: string[]) => names.map((name) => row[header!.indexOf(name)]);
      expect(rows).toHaveLength(5);
      for (const row of rows) expect(row).toHaveLength(header!.length);
      expect(at(rows[0]!, 'student', 'id', 'last_name', 'email')).toEqual([
        ...[`'=cmd|" /C calc"!A1`, '-007', 'Hopper', 'grace@example.org'],
      ]);
      expect(at(rows.at(-1)!, 'student', 'id', 'chapter', 'status', 'points', 'max_points', 'attempts')).toEqual([
        ...['nobody', '+9', '90-fixture', 'missing', '0', '12', '0'],
      ]);
      expect(rows.at(-1)!.at(-1)).toBe('nothing was handed in');
    });

    test('nbgrader-csv: ids as the lecturer wrote them, so that they are found again', async () => {
      const [header, ...rows] = await lines(nbgraderTable);
      const ids = rows.map((row) => row[header!.indexOf('student_id')]);
      expect(ids).toEqual(expect.arrayContaining(['-007', '8', '+9', 'ours', 'torn']));
      expect(rows.at(-1)).toEqual(['90-fixture', '', '', '+9', 'None', '', '', '0', '0', '0', '12']);
    });

    test('says who is not on it, and refuses one that has nobody', () => {
      const person = (student: string) =>
        [student, { student, id: '', lastName: '', firstName: '', email: '' }] as const;
      withBook(out, (book) => {
        expect(notOnRoster(book, new Map([person('torn'), person('ours')]))).toHaveLength(2);
        expect(() => notOnRoster(book, new Map([person('Torn')]))).toThrow('its column student must be as in');
      });
    });
  });

  test('github-classroom: base64 of JSON whose scores sum to the grade', () => {
    for (const grade of gradesOf(late)) {
      const text = classroom(grade);
      expect(text).toMatch(/^[A-Za-z0-9+/]+=*\n$/);
      const { version, max_score, status, tests } = JSON.parse(Buffer.from(text, 'base64').toString()) as {
        [key in 'version' | 'max_score']: number;
      } & { status: string; tests: { score: number }[] };
      expect([version, max_score]).toEqual([1, grade.maxPoints]);
      const sum = tests.reduce((total, one) => total + one.score, 0);
      expect(sum).toBe(grade.points ?? 0);
      const full = grade.raw === grade.maxPoints;
      expect(status).toBe(grade.points === null ? 'error' : full ? 'pass' : 'fail');
    }
  });

  test('junit: well-formed XML whose counts are those of its cases', () => {
    const { DOMParser } = new JSDOM('').window;
    const text = [...junit(gradesOf(late))].join('');
    const document = new DOMParser().parseFromString(text, 'application/xml');
    expect(document.querySelector('parsererror')).toBeNull();
    const suites = [...document.querySelectorAll('testsuite')];
    expect(suites).toHaveLength(4);
    for (const suite of suites) {
      const found = ['testcase', 'failure', 'error'].map((name) => suite.querySelectorAll(name).length);
      expect(found.map(String)).toEqual(['tests', 'failures', 'errors'].map((name) => suite.getAttribute(name)));
    }
    expect(suites[0]!.querySelector('error')!.textContent).toContain('<script>alert("x")</script>');
  });

  // what Jenkins' schema (junit-10.xsd) allows of what is written here: attributes, those that must be there with a
  // star, and children in their order
  const SCHEMA: Readonly<Record<string, { readonly attributes: string; readonly children: readonly string[] }>> = {
    testsuites: { attributes: 'name time tests failures disabled errors', children: ['testsuite'] },
    testsuite: {
      attributes: 'name* tests* failures errors time disabled skipped timestamp hostname id package',
      children: ['properties', 'testcase', 'system-out', 'system-err'],
    },
    testcase: { attributes: 'name* classname* time status assertions', children: ['skipped', 'error', 'failure'] },
    failure: { attributes: 'message type', children: [] },
    error: { attributes: 'message type', children: [] },
    'system-err': { attributes: '', children: [] },
  };

  test.each([undefined, late])('junit: elements and attributes are those of the schema', (policy) => {
    const { DOMParser } = new JSDOM('').window;
    const text = [...junit(gradesOf(policy))].join('');
    const document = new DOMParser().parseFromString(text, 'application/xml');
    for (const element of [document.documentElement, ...document.documentElement.querySelectorAll('*')]) {
      const { attributes, children } = SCHEMA[element.localName]!;
      const [allowed, required] = [attributes.replaceAll('*', ''), attributes.match(/\w+(?=\*)/g) ?? []];
      const names = element.getAttributeNames();
      expect(names.filter((name) => !allowed.split(' ').includes(name))).toEqual([]);
      expect(required.filter((name) => !names.includes(name))).toEqual([]);
      const places = [...element.children].map((child) => children.indexOf(child.localName));
      expect(places).not.toContain(-1);
      expect(places).toEqual([...places].sort((x, y) => x - y));
      for (const name of ['time', 'tests', 'failures', 'errors'].filter((name) => names.includes(name)))
        expect(element.getAttribute(name)).toMatch(/^\d+(\.\d+)?$/);
    }
  });
});

describe('feedback', () => {
  beforeEach(fillClass);
  const first = () => gradesOf(late).find(({ row }) => row.name.startsWith('='))!;

  test('the page says what was expected, what came, the input and the hint, and what lateness cost', () => {
    const { document } = new JSDOM(feedbackHtml(first())).window;
    const shown = document.body.textContent!;
    for (const text of ['each row sums to 1', 'tensor [1]', 'axis', '1 day late: 0.5 points off', '4.5 of 12 points'])
      expect(shown).toContain(text);
    const details = [...document.querySelectorAll('tr')].find((row) => row.textContent!.includes('sums to 1'))!;
    expect([...details.querySelectorAll('code')].map((one) => one.textContent)).toEqual([
      ...['expected: 1', 'got: 2', 'called with: tensor [1]', 'hint: axis'],
    ]);
  });

  test('the page runs nothing and loads nothing, whatever a submission says', () => {
    const { document } = new JSDOM(feedbackHtml(first())).window;
    expect(document.querySelectorAll('script, img, iframe, link, object, form')).toHaveLength(0);
    for (const element of document.querySelectorAll('*'))
      for (const { name } of element.attributes) expect(name).not.toMatch(/^(on|src|href|style)/);
    expect(document.querySelector('style')!.textContent).not.toMatch(/url\(|@import/);
    const rule = document.querySelector('meta[http-equiv="Content-Security-Policy"]')!.getAttribute('content');
    expect(rule).toContain("default-src 'none'");
    expect(document.body.textContent).toContain('<script>alert("x")</script>');
  });

  test('in Markdown what a submission says is neither markup nor a link', () => {
    const html = new MarkdownIt({ html: true, linkify: true }).render(feedbackMarkdown(first()));
    const { document } = new JSDOM(html).window;
    expect(document.querySelectorAll('script, img, a')).toHaveLength(0);
    expect(document.body.textContent).toContain('<script>alert("x")</script>');
    expect([...document.querySelectorAll('h2')].map((one) => one.textContent)).toEqual([
      ...['fixture.total 1 / 4', 'fixture.softmax 4 / 4', 'fixture.jitter 0 / 4'],
    ]);
  });

  test('nor when all checks say the same, and no sign turns the direction of the page', () => {
    const says = 'https://evil.example/@lecturer \u202e*x* is not written yet';
    const checks: CheckResult[] = [1, 2].map((i) => ({ name: `check ${i}`, status: 'error', message: says }));
    const name = 'ad\u202ea';
    fillBook(join(out, 'same'), [[verdict(name, 0, { exercises: [exercise('fixture.total', 0, { checks })] })]]);
    const [grade] = withBook(join(out, 'same'), (book) => [...grades(book)]);
    const [page, markdown] = [feedbackHtml(grade!), feedbackMarkdown(grade!)];
    const { document } = new JSDOM(new MarkdownIt({ html: true, linkify: true }).render(markdown)).window;
    expect(document.querySelectorAll('a, em')).toHaveLength(0);
    expect([...document.querySelectorAll('li code')].map((one) => one.textContent!).join()).toContain('@lecturer');
    for (const text of [page, markdown]) expect(text).not.toContain('\u202e');
  });

  test('of a hidden check every document says only that one fails, and of one that holds nothing', () => {
    const documents = [gradescope, (grade: Grade) => atob(classroom(grade)), feedbackHtml, feedbackMarkdown];
    const all = [...documents, (grade: Grade) => [...junit([grade])].join('')];
    for (const grade of gradesOf(late))
      for (const write of all) {
        const text = write(grade);
        expect(text).not.toContain(SECRET);
        const fails = grade.exercises.some(({ checks }) => checks.some((one) => one.hidden && one.status !== 'passed'));
        expect(text.includes('a hidden check fails')).toBe(fails);
      }
  });
});

describe('item statistics', () => {
  /** Four students, by hand: see the comment at each number. */
  const points = { a: [1, 1, 0, 0], b: [4, 2, 2, 0], c: [2, 0, 2, 2], d: [3, 3, 3, 3] };
  const most = { a: 1, b: 4, c: 2, d: 4 };

  beforeEach(() => {
    const verdicts = [0, 1, 2, 3].map((i) => {
      const failed = (name: string): CheckResult => ({ name, status: 'failed' });
      const checks = i === 0 ? [] : [failed('worst'), ...(i === 1 ? [failed('rare')] : [])];
      const exercises = (Object.keys(points) as (keyof typeof points)[]).map((id) =>
        exercise(id, points[id][i]!, { maxPoints: most[id], checks: id === 'b' ? checks : [] }),
      );
      return [verdict(`s${i}`, 0, { exercises })] as const;
    });
    const ours = verdict('ours', 0, {
      status: 'infra_error',
      exercises: [exercise('a', 0, { status: 'infra_error' })],
    });
    fillBook(out, [...verdicts, [ours]]);
  });

  test('agree with a class computed by hand', () => {
    const items = itemStatistics(gradesOf());
    expect(items.map(({ exercise, students }) => [exercise, students])).toEqual([
      ...[
        ['a', 4],
        ['b', 4],
        ['c', 4],
        ['d', 4],
      ],
    ]);
    expect(items.map(({ difficulty }) => difficulty)).toEqual([0.5, 0.5, 0.75, 0.75]);
    // a against b+c+d = 9 5 7 5: Σ of products of deviations 1, of squares 1 and 11; and so on
    const expected = [1 / Math.sqrt(1 * 11), 2 / Math.sqrt(8 * 2), -1 / Math.sqrt(3 * 13)];
    expected.forEach((r, i) => expect(items[i]!.discrimination).toBeCloseTo(r, 12));
    expect(items[3]!.discrimination).toBeNull();
    expect(items[1]).toMatchObject({ statuses: { graded: 4 }, failing: { check: 'worst', students: 3 } });
    expect(items[0]!.failing).toBeNull();
    expect(statisticsTable(items).split('\n')).toHaveLength(5);
  });

  test('do not depend on the order of the students', () => {
    const [forth, back] = [gradesOf(), gradesOf().reverse()].map((all) => itemStatistics(all));
    for (const [i, item] of forth!.entries()) {
      expect(back![i]!.difficulty).toBeCloseTo(item.difficulty, 12);
      if (item.discrimination !== null) expect(back![i]!.discrimination).toBeCloseTo(item.discrimination, 12);
    }
  });
});

test('a student’s folder leads nowhere else and takes no name of ours', () => {
  const names = ['..', 'a/../../b', '.', 'gradebook.sqlite', 'Grades.csv/x', 'a//b', 'plain/name'];
  expect(names.map(folderOf)).toEqual([
    ...['.._', join('a', '.._', '.._', 'b'), '._', 'gradebook.sqlite_', join('Grades.csv_', 'x'), join('a', '_', 'b')],
    join('plain', 'name'),
  ]);
});

describe('the commands', () => {
  const grade = (...args: string[]) => {
    const command = [resolve(import.meta.dirname, '../../../grader/bin/grade.mjs'), ...args, '--book', out];
    return spawnSync(process.execPath, command, { encoding: 'utf8' });
  };
  const mixture = (student: string, points: number): SubmissionResult =>
    verdict(student, 0, { chapter: '03-mixtures', exercises: [exercise('mixture.mStep', points, { maxPoints: 3 })] });

  test('an instructor’s round: policy, override, status, export, feedback, statistics', () => {
    fillBook(out, [[mixture('ada/1', 1), DEADLINE], [mixture('ada/2', 2), DEADLINE + 1], [mixture('bob/1', 3)]]);
    const deadline = ['--deadline', '2026-01-31T23:59:00+01:00', '--grace', '0m', '--late', '50'];
    const rules = [...deadline, '--attempts', 'best', '--student', '^([^/]+)/'];
    expect(grade('policy', ...rules)).toMatchObject({ status: 0 });
    const why = ['--points', '2.5', '--reason', 'said so', '--by', 'me'];
    expect(grade('override', 'bob', 'mixture.mStep', ...why)).toMatchObject({ status: 0 });
    expect(grade('override', 'bop', 'mixture.mStep', ...why).stderr).toContain('did you mean bob?');
    expect(grade('override', 'bob', 'mixture.mStep').stderr).toContain('needs --points, --reason and --by');
    const { stdout: status } = grade('status');
    for (const text of ['3 judged', '3  graded', '50% off', 'the best attempt', 'bob, mixture.mStep: 2.5/3 by me'])
      expect(status).toContain(text);
    const table = parseCsv(grade('export').stdout);
    expect(table.slice(1).map((line) => [line[0], line[3], line[10]])).toEqual([
      ['ada', '1', 'ada/1'],
      ['bob', '2.5', 'bob/1'],
    ]);
    expect(grade('feedback', '--out', join(out, 'feedback'))).toMatchObject({ status: 0 });
    expect(readdirSync(join(out, 'feedback', 'ada', '03-mixtures'))).toEqual(['feedback.html', 'feedback.md']);
    expect(grade('export', '--format', 'gradescope').stderr).toContain('name a folder with --out');
    expect(grade('export', '--format', 'gradescope', '--out', join(out, 'g'))).toMatchObject({ status: 0 });
    expect(readFileSync(join(out, 'g', 'bob', '03-mixtures', 'results.json'), 'utf8')).toContain('"score": 2.5');
    const items = JSON.parse(grade('statistics', '--json').stdout) as unknown;
    expect(items).toMatchObject([{ exercise: 'mixture.mStep', students: 2, difficulty: (1 + 2.5) / 2 / 3 }]);
  }, 60_000);

  test('each says how it is used, with an example', () => {
    for (const name of ['grade', 'regrade', 'status', 'policy', 'override', 'export', 'feedback', 'statistics']) {
      const { status, stdout } = grade(name, '--help');
      expect(status).toBe(0);
      expect(stdout).toMatch(new RegExp(`Example[^]*npx grade ${name}`));
    }
  }, 60_000);
});

test('a book can be read by any SQLite: the file alone holds everything', () => {
  fillBook(out, [[verdict('ada')]]);
  expect(readdirSync(out).filter((name) => name.startsWith('gradebook'))).toContain('gradebook.sqlite');
  const copy = mkdtempSync(join(out, 'copy-'));
  writeFileSync(bookFile(copy), readFileSync(bookFile(out)));
  const book = openBook(bookFile(copy));
  expect([...grades(book)].map(({ student }) => student)).toEqual(['ada']);
  closeBook(book);
});
