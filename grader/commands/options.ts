/** The options of the commands: those that several share, and how the text of a value is read. */
import { availableParallelism } from 'node:os';
import { InvalidArgumentError, Option } from 'commander';
import type { Opening } from '../base/release-manifest';
import { parseTime } from '../gradebook/arrival';
import { knownZone, offsetIn } from '../gradebook/days';
import type { Policy } from '../gradebook/policy';
import { tiers, type Tier } from '../sandbox/tier';

// Shared options; what each gives is in the interface beside it

export function chapterOption(
  about = 'the chapter, by number or name, whatever the notebooks say of themselves',
): Option {
  return new Option('--chapter <name>', about);
}

export interface BookOption {
  readonly book: string;
}

/** Commands that read the gradebook find it in the folder that `grade --out` named. */
export function bookOption(): Option {
  return new Option('--book <folder>', 'the folder that grade wrote (its --out)').default('graded');
}

export interface JobsOption {
  readonly jobs: number;
}

export function jobsOption(about = 'how many to grade at the same time'): Option {
  return new Option('--jobs <n>', about).argParser(toNumber({ min: 1, whole: true })).default(availableParallelism());
}

export interface TierOption {
  readonly tier?: Tier;
}

export function tierOption(): Option {
  return new Option('--tier <tier>', 'what shuts a submission in; the strongest that holds here, unless said').choices([
    ...tiers,
  ]);
}

export const TRUST = '--i-trust-these';

export interface TrustOption {
  readonly iTrustThese?: boolean;
}

export function trustOption(): Option {
  return new Option(TRUST, 'grade even where nothing protects this machine from the submissions');
}

// Values; each reader takes the text, or says what it must be

interface Range {
  readonly min: number;
  readonly max?: number;
  readonly whole?: boolean;
}

export function toNumber({ min, max = Infinity, whole = false }: Range): (text: string) => number {
  return (text) => {
    const number = text.trim() === '' ? NaN : Number(text);
    if (Number.isFinite(number) && number >= min && number <= max && (!whole || Number.isInteger(number)))
      return number;
    const upTo = max === Infinity ? '' : ` to ${max}`;
    throw new InvalidArgumentError(`It must be a ${whole ? 'whole ' : ''}number from ${min}${upTo}.`);
  };
}

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** In ms. */
export function toDuration(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)([mhd])$/.exec(text) ?? [];
  if (unit === undefined) throw new InvalidArgumentError('It must be minutes, hours or days: 30m, 2h, 1d.');
  return Number(number) * UNITS[unit]!;
}

/** What `read` makes of a text, and `null` for `none`, which takes a setting back. */
export function orNone<T>(read: (text: string) => T): (text: string) => T | null {
  return (text) => (text === 'none' ? null : read(text));
}

export interface Deadline {
  /** Since 1970. */
  readonly ms: number;
  /** As it was written: +02:00. */
  readonly offset: string;
}

export function toDeadline(text: string): Deadline {
  return refusing(() => ({ ms: parseTime(text, 'deadline'), offset: offsetIn(text) }));
}

export function toZone(text: string): string {
  return refusing(() => knownZone(text));
}

/** A regular expression whose first group names something. */
export function toPattern(text: string): string {
  refusing(() => new RegExp(text, 'u'));
  if (!/\((?!\?)/.test(text)) throw new InvalidArgumentError("It needs a group for the student: '^([^/]+)/'.");
  return text;
}

export function toLateness(text: string): Policy['late'] {
  if (text === 'zero') return 'zero';
  return refusing(
    () => toNumber({ min: 0, max: 100 })(text),
    'It must be zero, or percent of the points for each day, 0 to 100.',
  );
}

export function toOpening(text: string): Opening {
  if (!/^(after-pass|never|after-tries:[1-9]\d{0,2})$/.test(text))
    throw new InvalidArgumentError('It must be after-pass, never, or after-tries: with a number, as in after-tries:5.');
  return text as Opening;
}

function refusing<T>(read: () => T, message?: string): T {
  try {
    return read();
  } catch (error) {
    throw new InvalidArgumentError(message ?? (error as Error).message);
  }
}
