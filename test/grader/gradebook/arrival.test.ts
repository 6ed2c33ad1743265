import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { contentOf, parseTime, readTimestamps, submissionTime } from '../../../grader/gradebook/arrival';
import { parseCsv } from '../../../grader/base/csv';
import { readSubmission } from '../../../grader/compile/reader';
import { daysBegun, knownZone, localTime, offsetIn } from '../../../grader/gradebook/days';
import { readRoster } from '../../../grader/gradebook/roster';

let folder = '';
let file = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'arrival-'));
  file = join(folder, 'file.csv');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('a moment', () => {
  test.each([
    ['2026-01-31T23:59:00+01:00', '2026-01-31T22:59:00.000Z'],
    ['2026-01-31T23:59+0100', '2026-01-31T22:59:00.000Z'],
    ['2026-01-31T23:59:00.250Z', '2026-01-31T23:59:00.250Z'],
    ['2024-02-29T12:00:00-11:30', '2024-02-29T23:30:00.000Z'],
    ['2026-12-31T24:00:00Z', '2027-01-01T00:00:00.000Z'],
  ])('%s', (text, wanted) => {
    expect(new Date(parseTime(text, 'x')).toISOString()).toBe(wanted);
  });

  test.each([
    ['', 'no time'],
    ['2026-01-31', 'no time of day'],
    ['2026-01-31T23:59:00', 'no zone'],
    ['2026-01-31 23:59:00Z', 'no T'],
    ['31.01.2026 23:59', 'another order'],
    ['2026-02-30T12:00:00Z', 'no such day'],
    ['2025-02-29T12:00:00Z', 'no leap year'],
    ['2026-04-31T12:00:00Z', 'no such day'],
    ['2026-13-01T12:00:00Z', 'no such month'],
    ['2026-00-10T12:00:00Z', 'no such month'],
    ['2026-01-00T12:00:00Z', 'no such day'],
    ['2026-01-31T24:01:00Z', 'no such hour'],
    ['2026-01-31T23:59:60Z', 'a leap second'],
    ['2026-01-31T23:59:00+25:00', 'no such zone'],
  ])('refuses %s: %s', (text) => {
    expect(() => parseTime(text, 'x:1')).toThrow('x:1: expected a time with its zone');
  });
});

const at = (text: string) => parseTime(text, 'x');

describe('days of lateness', () => {
  test.each([
    // clocks go back on 25 October 2026 in Europe, and forward on 29 March
    ['2026-10-24T23:59:00+02:00', '2026-10-25T23:30:00+01:00', 'Europe/Amsterdam', 1],
    ['2026-10-24T23:59:00+02:00', '2026-10-25T23:59:30+01:00', 'Europe/Amsterdam', 2],
    ['2026-10-24T23:59:00+02:00', '2026-10-25T23:30:00+01:00', '+02:00', 1],
    ['2026-10-24T23:59:00+02:00', '2026-10-25T23:59:30+01:00', '+02:00', 2],
    ['2026-10-24T23:59:00+02:00', '2026-10-25T22:30:00Z', '+02:00', 1],
    ['2026-10-24T23:59:00+02:00', '2026-10-25T22:30:00Z', 'Africa/Johannesburg', 2],
    ['2026-10-24T23:59:00+02:00', '2026-10-25T22:30:00Z', null, 2],
    ['2026-10-25T02:30:00+02:00', '2026-10-25T02:15:00+01:00', 'Europe/Amsterdam', 1],
    ['2026-03-28T23:59:00+01:00', '2026-03-29T23:58:00+02:00', 'Europe/Amsterdam', 1],
    ['2026-03-28T23:59:00+01:00', '2026-03-29T23:59:30+02:00', 'Europe/Amsterdam', 2],
    ['2026-03-28T23:59:00+01:00', '2026-03-29T23:59:30+02:00', '+01:00', 1],
    ['2026-10-31T23:59:00-04:00', '2026-11-01T23:30:00-05:00', '-04:00', 1],
    ['2026-10-31T23:59:00-04:00', '2026-11-01T23:30:00-05:00', 'America/New_York', 1],
    ['2026-01-31T23:59:00Z', '2026-02-01T23:59:00Z', '+00:00', 1],
    ['2026-01-31T23:59:00Z', '2026-02-01T23:59:01Z', '+00:00', 2],
    ['2024-02-28T23:59:00+05:45', '2024-03-01T12:00:00+05:45', 'Asia/Kathmandu', 2],
    ['2026-01-31T23:59:00+13:45', '2026-02-03T23:00:00+13:45', 'Pacific/Chatham', 3],
  ])('%s, handed in %s, in %s: %i', (deadline, submitted, zone, days) => {
    expect(daysBegun(at(deadline), at(submitted), zone)).toBe(days);
  });

  test('the deadline is shown as the clocks there show it', () => {
    const ms = at('2026-10-24T23:59:00+02:00');
    expect(localTime(ms, null)).toBe('2026-10-24T21:59:00.000Z');
    expect(localTime(ms, '+02:00')).toBe('2026-10-24 23:59:00 +02:00');
    expect(localTime(ms, 'Europe/Amsterdam')).toBe('2026-10-24 23:59:00 +02:00 (Europe/Amsterdam)');
    expect(['2026-01-31T23:59-0330', '2026-01-31T23:59Z'].map(offsetIn)).toEqual(['-03:30', '+00:00']);
    expect(() => knownZone('Europe/Atlantis')).toThrow("such as Europe/Amsterdam, got 'Europe/Atlantis'");
  });
});

describe('the timestamps', () => {
  const times = (text: string | Buffer) => {
    writeFileSync(file, text);
    return readTimestamps(file);
  };
  const [TIME, LATER] = ['2026-01-31T23:59:00Z', '2026-02-01T23:59:00Z'];

  test.each([
    [`ada,${TIME}`, 'ada'],
    [`\uFEFFname,time\r\nada,${TIME}\r\n\r\n`, 'ada'],
    [`"name","time"\n"ada","${TIME}"\n`, 'ada'],
    [`student,time\n"say ""hi"", x",${TIME}`, 'say "hi", x'],
    [`Rene\u0301e/1,${TIME}`, 'Ren\u00e9e/1'],
    [`Ren\u00e9e/1,${TIME}`, 'Ren\u00e9e/1'],
    [`ada,${TIME}\nada,2026-02-01T00:59:00+01:00`, 'ada'],
  ])('%j', async (text, name) => {
    expect([...(await times(text))]).toEqual([[name, Date.parse(TIME)]]);
  });

  test.each([
    [`ada;${TIME}`, ':1: expected name,time, got'],
    [`ada,${TIME}\nada,${LATER}`, ":2: expected one time for 'ada'"],
    ['ada,tomorrow', ':1: expected a time with its zone'],
    [Buffer.from(`\uFEFFname,time\nada,${TIME}`, 'utf16le'), 'save it as "CSV UTF-8"'],
    [Buffer.from(`M\u00fcller,${TIME}`, 'latin1'), 'save it as "CSV UTF-8"'],
  ])('refuses %j', async (text, says) => {
    await expect(times(text)).rejects.toThrow(says);
  });

  test('find a name in either form of Unicode, and say how a missing line is written', async () => {
    const known = await times(`Ren\u00e9e,${TIME}`);
    for (const name of ['Ren\u00e9e', 'Rene\u0301e'])
      expect(await submissionTime(name, 'x', known)).toMatchObject({ submittedMs: Date.parse(TIME) });
    await expect(submissionTime('a "b", c', 'x', known)).rejects.toThrow(`add "a ""b"", c",2026-01-31T23:59:00Z`);
  });
});

describe('a table', () => {
  test.each([
    [
      'a,b\n1,2',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    [
      '\uFEFFa;b\r\n"x;y";2\r\n',
      [
        ['a', 'b'],
        ['x;y', '2'],
      ],
    ],
    ['a\n"two\nlines, ""quoted"""\n', [['a'], ['two\nlines, "quoted"']]],
    ['a,b\n,\n\n', [['a', 'b']]],
    ['', []],
    ['a, b ,\n', [['a', 'b', '']]],
  ])('%j', (text, wanted) => {
    expect(parseCsv(text)).toEqual(wanted);
  });

  test.each(['a\n"no end', 'a\nx"y', 'a\n"x"y'])('refuses %j', (text) => {
    expect(() => parseCsv(text)).toThrow('line 2: a quote');
  });

  test.each([
    ['', 'expected a header with the column student'],
    ['name,id\nada,1', "got 'name,id'"],
    ['student,id\nada,1\nada,2', "two lines for 'ada'"],
    ['student\nRen\u00e9e\nRene\u0301e', 'two lines for'],
    ['student,id\n,7', 'a line without a student'],
  ])('no roster is %j', async (text, says) => {
    writeFileSync(file, text);
    await expect(readRoster(file)).rejects.toThrow(says);
  });
});

describe('a file to read', () => {
  test.each([
    ['empty', '', 'the file is empty'],
    ['a mark and nothing', '\uFEFF', 'the file is empty'],
    ['a list', '[]', 'a JSON object is expected'],
    ['an older format', '{"nbformat": 3, "worksheets": []}', 'nbformat must be 4, got 3'],
    ['no cells', '{"nbformat": 4}', 'no list of cells'],
    ['a cell without source', '{"nbformat": 4, "cells": [{"cell_type": "code"}]}', 'code cell 1 has no source'],
    ['two million lists', `{"nbformat": 4, "x": [${'[],'.repeat(2_000_000)}[]]}`, 'more than 2000000 lists'],
    ['two million objects', `{"nbformat": 4, "x": [${'{},'.repeat(2_000_000)}{}]}`, 'more than 2000000 lists'],
    ['two million texts', `{"nbformat": 4, "x": [${'"",'.repeat(2_000_000)}""]}`, 'more than 2000000 lists'],
  ])('%s', async (_, text, says) => {
    writeFileSync(file, text);
    await expect(readSubmission(file)).rejects.toThrow(says);
    await expect(readSubmission(file)).rejects.toMatchObject({ name: 'Unreadable' });
  });

  test('brackets in texts are no lists, whatever quotes are in them', async () => {
    const source = '[{'.repeat(1_500_000) + '\\" \\\\';
    writeFileSync(file, JSON.stringify({ nbformat: 4, cells: [{ cell_type: 'code', source }] }));
    expect((await readSubmission(file)).cells[0]!.source).toBe(source);
  });

  test('one that is not there is nobody’s fault', async () => {
    await expect(readSubmission(join(folder, 'nowhere'))).rejects.toMatchObject({
      name: 'Error',
      message: 'there is no such file',
    });
  });

  test('a sparse file of terabytes is told by its size, at once', async () => {
    writeFileSync(file, '');
    truncateSync(file, 8 * 2 ** 40);
    expect(await contentOf(file)).toMatch(/^8796093022208 bytes of \d+$/);
    await expect(readSubmission(file)).rejects.toThrow('larger than 64 MiB');
  });
});
