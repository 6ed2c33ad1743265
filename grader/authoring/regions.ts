/**
 * Solutions in a code cell: the lines between `// BEGIN SOLUTION id` and `// END SOLUTION`, inside one function.
 * Right after them may stand `// BEGIN GIVEN` … `// END GIVEN`, commented lines that the released notebook shows
 * instead: the bug to find.
 */
import ts from 'typescript';
import { SourceError, type PercentCell } from './percent';

export interface Region {
  readonly exercise: string;
  /** The top-level function around the region. */
  readonly functionName: string;
  /** Indices of the marker lines within the cell. */
  readonly begin: number;
  readonly end: number;
  readonly given?: { readonly begin: number; readonly end: number };
}

type Marker = {
  readonly at: number;
  readonly word: 'BEGIN' | 'END';
  readonly what: 'SOLUTION' | 'GIVEN';
  readonly id?: string;
};

/** @throws SourceError for markers that do not pair, are nested, or are not within one function */
export function findRegions(cell: PercentCell, where: string): Region[] {
  const fail = (at: number, message: string): never => {
    throw new SourceError(where, cell.line + at, message);
  };
  const markers = findMarkers(cell.source, fail);
  const regions: Region[] = [];
  while (markers.length > 0) regions.push(takeRegion(cell.source, markers, fail));
  refuseSharedFunctions(regions, fail);
  return regions;
}

/** The cell as it is in the complete notebook: without markers, and without what stands for the release only. */
export function completeSource(source: string, regions: readonly Region[]): string {
  return replaceRegions(source, regions, (lines, { begin, end }) => lines.slice(begin + 1, end));
}

/** The cell as it is released: each solution replaced by what is given, or by a line that throws. */
export function releasedSource(source: string, regions: readonly Region[]): string {
  return replaceRegions(source, regions, (lines, region) =>
    region.given
      ? givenLines(lines, region.given)
      : [`${indentation(lines, region)}throw new NotWritten('${region.exercise}');`],
  );
}

/** The lines of a solution. */
export function solutionLines(source: string, region: Region): string[] {
  return source.split('\n').slice(region.begin + 1, region.end);
}

/** The lines that the release gives instead of a solution, if any. */
export function givenOf(source: string, region: Region): string[] {
  return region.given ? givenLines(source.split('\n'), region.given) : [];
}

type Fail = (at: number, message: string) => never;

function findMarkers(source: string, fail: Fail): Marker[] {
  return source.split('\n').flatMap((line, at): Marker[] => {
    if (!/\b(BEGIN|END) (SOLUTION|GIVEN)\b/.test(line)) return [];
    const [, word, what, id] = /^\s*\/\/ (BEGIN|END) (SOLUTION|GIVEN)(?: (\S+))?\s*$/.exec(line) ?? [];
    if (word === undefined)
      fail(
        at,
        'a marker must stand alone: // BEGIN SOLUTION family.notion, // END SOLUTION, // BEGIN GIVEN or // END GIVEN',
      );
    if (word === 'BEGIN' && what === 'SOLUTION' && id === undefined)
      fail(at, 'BEGIN SOLUTION must name its exercise, as in // BEGIN SOLUTION mixture.em');
    return [{ at, word: word as Marker['word'], what: what as Marker['what'], ...(id === undefined ? {} : { id }) }];
  });
}

/** Takes the markers of one region from the front of the list. */
function takeRegion(source: string, markers: Marker[], fail: Fail): Region {
  const begin = takeMarker(markers, 'BEGIN', 'SOLUTION', fail);
  const end = takeMarker(markers, 'END', 'SOLUTION', fail, begin);
  const functionName = functionAround(source, begin.at, end.at, fail);
  const region = { exercise: begin.id!, functionName, begin: begin.at, end: end.at };
  if (markers[0]?.what !== 'GIVEN') return region;
  const opening = takeMarker(markers, 'BEGIN', 'GIVEN', fail);
  const given = { begin: opening.at, end: takeMarker(markers, 'END', 'GIVEN', fail, opening).at };
  if (given.begin !== end.at + 1) fail(given.begin, 'BEGIN GIVEN must follow END SOLUTION at once');
  checkGiven(source, given, fail);
  return { ...region, given };
}

function takeMarker(
  markers: Marker[],
  word: Marker['word'],
  what: Marker['what'],
  fail: Fail,
  opened?: Marker,
): Marker {
  const marker = markers.shift();
  if (marker === undefined) return fail(opened!.at, `no // ${word} ${what} follows this line`);
  if (marker.word === word && marker.what === what) return marker;
  if (marker.word === 'BEGIN' && word === 'END')
    return fail(marker.at, `BEGIN ${marker.what} before // END ${what}; regions cannot be nested`);
  return fail(marker.at, `${marker.word} ${marker.what} where // ${word} ${what} should come first`);
}

function checkGiven(source: string, { begin, end }: { begin: number; end: number }, fail: Fail): void {
  source
    .split('\n')
    .slice(begin + 1, end)
    .forEach((line, i) => {
      if (!/^\s*\/\/( |$)/.test(line)) fail(begin + 1 + i, 'a line of GIVEN must be commented: it starts with "// "');
    });
}

function functionAround(source: string, begin: number, end: number, fail: Fail): string {
  const file = ts.createSourceFile('cell.ts', source, ts.ScriptTarget.ES2022, true);
  const lineOf = (position: number) => file.getLineAndCharacterOfPosition(position).line;
  const around = file.statements.find((s) => lineOf(s.getStart()) <= begin && lineOf(s.end) >= begin);
  const name = around && functionName(around);
  if (around === undefined || name === undefined)
    return fail(begin, 'a solution must stand inside a top-level function');
  if (lineOf(around.end) < end)
    fail(end, `the solution leaves the function ${name} in which it began; one region, one function`);
  return name;
}

/** The name of `function f() {}` or of `const f = () => {}`. */
function functionName(statement: ts.Statement): string | undefined {
  if (ts.isFunctionDeclaration(statement)) return statement.name?.text;
  if (!ts.isVariableStatement(statement)) return undefined;
  const [declaration] = statement.declarationList.declarations;
  const value = declaration?.initializer;
  const isFunction = value !== undefined && (ts.isArrowFunction(value) || ts.isFunctionExpression(value));
  return isFunction && ts.isIdentifier(declaration!.name) ? declaration!.name.text : undefined;
}

function refuseSharedFunctions(regions: readonly Region[], fail: Fail): void {
  regions.forEach((region, i) => {
    const before = regions.slice(0, i).find((other) => other.functionName === region.functionName);
    if (before)
      fail(
        region.begin,
        `${region.functionName} already holds the solution of ${before.exercise}; one function, one region`,
      );
  });
}

type Lines = readonly string[];

function replaceRegions(
  source: string,
  regions: readonly Region[],
  body: (lines: Lines, region: Region) => Lines,
): string {
  const lines = source.split('\n');
  const result: string[] = [];
  let next = 0;
  for (const region of regions) {
    result.push(...lines.slice(next, region.begin), ...body(lines, region));
    next = (region.given?.end ?? region.end) + 1;
  }
  return [...result, ...lines.slice(next)].join('\n');
}

function givenLines(lines: Lines, { begin, end }: { begin: number; end: number }): string[] {
  return lines.slice(begin + 1, end).map((line) => line.replace(/^(\s*)\/\/ ?/, '$1').trimEnd());
}

function indentation(lines: Lines, { begin }: Region): string {
  return /^\s*/.exec(lines[begin]!)![0];
}
