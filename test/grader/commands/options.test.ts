import { describe, expect, test } from 'vitest';
import {
  orNone,
  toDeadline,
  toDuration,
  toLateness,
  toNumber,
  toOpening,
  toPattern,
  toZone,
} from '../../../grader/commands/options';

describe('the value of an option is read', () => {
  test.each([
    [toNumber({ min: 1, whole: true }), '3', 3],
    [toNumber({ min: 0, max: 1 }), '0.4', 0.4],
    [toNumber({ min: 0 }), '1e3', 1000],
    [toDuration, '90m', 5_400_000],
    [toDuration, '1.5h', 5_400_000],
    [toDuration, '1d', 86_400_000],
    [toDeadline, '2026-01-31T23:59:00+01:00', { ms: Date.UTC(2026, 0, 31, 22, 59), offset: '+01:00' }],
    [toZone, 'Europe/Amsterdam', 'Europe/Amsterdam'],
    [toLateness, 'zero', 'zero'],
    [toLateness, '12.5', 12.5],
    [toPattern, '^([^/]+)/', '^([^/]+)/'],
    [toOpening, 'after-tries:5', 'after-tries:5'],
    [orNone(toPattern), 'none', null],
    [orNone(toDeadline), 'none', null],
  ])('%o of %j', (read, text, value) => expect(read(text)).toEqual(value));
});

describe('or it is said what it must be', () => {
  test.each([
    [toNumber({ min: 1, whole: true }), '0', 'It must be a whole number from 1.'],
    [toNumber({ min: 1, whole: true }), '1.5', 'It must be a whole number from 1.'],
    [toNumber({ min: 0, max: 1 }), '', 'It must be a number from 0 to 1.'],
    [toNumber({ min: 0, max: 1 }), ' ', 'It must be a number from 0 to 1.'],
    [toNumber({ min: 0, max: 1 }), '1.1', 'It must be a number from 0 to 1.'],
    [toNumber({ min: 0 }), 'Infinity', 'It must be a number from 0.'],
    [toNumber({ min: 0 }), '3 points', 'It must be a number from 0.'],
    [toDuration, '2 h', 'It must be minutes, hours or days: 30m, 2h, 1d.'],
    [toDeadline, '2026-01-31', 'expected a time with its zone'],
    [toZone, 'Amsterdam', 'expected the name of a time zone such as Europe/Amsterdam'],
    [toLateness, '101', 'It must be zero, or percent of the points for each day, 0 to 100.'],
    [toPattern, '(', 'Invalid regular expression'],
    [toPattern, '^(?:a)', 'It needs a group for the student'],
    [orNone(toPattern), 'a', 'It needs a group for the student'],
    [toOpening, 'after-tries:0', 'It must be after-pass, never, or after-tries:'],
  ])('%o of %j: %s', (read, text, message) => {
    expect(() => read(text)).toThrow(message);
    // by which commander knows that it is the user's
    expect(() => read(text)).toThrow(expect.objectContaining({ code: 'commander.invalidArgument' }));
  });
});
