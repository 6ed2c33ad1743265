/** Days of lateness by the calendar: a day of the deadline's place may have 23 or 25 hours. */

const [HOUR_MS, DAY_MS] = [3_600_000, 86_400_000];

/** By how much clocks are set, where courses are given. */
const CHANGE_MS = HOUR_MS;

/**
 * Days begun after a deadline that has passed: the first ends when the clocks there show the deadline's time again.
 * @param zone a time zone such as Europe/Amsterdam. Of an offset such as +02:00 nobody knows where it is and whether
 *   clocks change there: the days are those of the place, among all that had this offset at the deadline, where they are
 *   fewest. Without either a day has 24 hours
 */
export function daysBegun(deadlineMs: number, submittedMs: number, zone: string | null): number {
  const passed = submittedMs - deadlineMs;
  const even = dayOf(passed);
  if (zone === null) return even;
  if (!isOffset(zone)) return dayOf(passed + shift(zone, deadlineMs, submittedMs));
  if (dayOf(passed - CHANGE_MS) === even) return even;
  const shifts = zonesAt(zone, deadlineMs).map((place) => shift(place, deadlineMs, submittedMs));
  return Math.min(even, ...shifts.map((ms) => dayOf(passed + ms)));
}

function dayOf(ms: number): number {
  return Math.max(1, Math.ceil(ms / DAY_MS));
}

function isOffset(zone: string): boolean {
  return /^[+-]/.test(zone);
}

/** By how much the clocks of a place were set between two moments. */
function shift(zone: string, before: number, after: number): number {
  return offsetMs(offsetAt(zone, after)) - offsetMs(offsetAt(zone, before));
}

function zonesAt(offset: string, ms: number): string[] {
  const places = Intl.supportedValuesOf('timeZone').filter((zone) => !zone.startsWith('Antarctica/'));
  return places.filter((zone) => offsetAt(zone, ms) === offset);
}

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: string): Intl.DateTimeFormat {
  const format = formats.get(zone) ?? new Intl.DateTimeFormat('en', { timeZone: zone, timeZoneName: 'longOffset' });
  formats.set(zone, format);
  return format;
}

/** "+02:00" */
function offsetAt(zone: string, ms: number): string {
  const name = formatOf(zone)
    .formatToParts(ms)
    .find(({ type }) => type === 'timeZoneName')!.value;
  return name === 'GMT' ? '+00:00' : name.slice('GMT'.length);
}

function offsetMs(offset: string): number {
  const [hours, minutes] = offset.slice(1).split(':').map(Number) as [number, number];
  return (offset.startsWith('-') ? -1 : 1) * (hours * HOUR_MS + minutes * 60_000);
}

/** @throws an Error with an example for what is no zone's name */
export function knownZone(name: string): string {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    throw new Error(`expected the name of a time zone such as Europe/Amsterdam, got '${name}'`);
  }
}

/** The offset that a time in ISO 8601 says, as "+02:00"; UTC for Z. */
export function offsetIn(time: string): string {
  const [, sign, hours, minutes] = /([+-])(\d\d):?(\d\d)$/.exec(time) ?? [];
  return sign === undefined ? '+00:00' : `${sign}${hours}:${minutes}`;
}

/** "2026-10-24 23:59:00 +02:00 (Europe/Amsterdam)": what the clocks of the zone show. */
export function localTime(ms: number, zone: string | null): string {
  if (zone === null) return new Date(ms).toISOString();
  const offset = isOffset(zone) ? zone : offsetAt(zone, ms);
  const shown = new Date(ms + offsetMs(offset)).toISOString().slice(0, 19).replace('T', ' ');
  return `${shown} ${offset}${isOffset(zone) ? '' : ` (${zone})`}`;
}
