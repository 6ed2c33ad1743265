import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parsePercent } from '../../../grader/authoring/percent';
import { chapters } from '../../../grader/chapters/registry';

// What a page owes its reader: what is written is put to use; something is derived, and two things are foretold.

interface Asked {
  readonly id: string;
  /** What its cell stands under: "Predict: another unit". */
  readonly heading: string;
  /** Whether a cell beside its own and its check's calls it. */
  readonly isUsed: boolean;
}

/** The exercises of a chapter's source, in its order. */
function exercisesOf(text: string): Asked[] {
  const cells = parsePercent(text, 'the chapter');
  const code = cells.filter(({ kind }) => kind === 'code');
  let heading = '';
  return cells.flatMap((cell) => {
    if (cell.kind === 'markdown') heading = [...cell.source.matchAll(/^#{2,3} (.+)$/gm)].at(-1)?.[1] ?? heading;
    const id = cell.kind === 'code' ? /BEGIN SOLUTION (\S+)/.exec(cell.source)?.[1] : undefined;
    if (id === undefined) return [];
    const name = /^(?:async )?function (\w+)/m.exec(cell.source)![1]!;
    const others = code.filter((other) => other !== cell && !other.source.includes(`check('${id}'`));
    const isUsed = others.some(({ source }) => new RegExp(`\\b${name}\\b`).test(source.replace(/\/\/.*$/gm, '')));
    return [{ id, heading, isUsed }];
  });
}

const isPredicted = ({ heading }: Asked) => heading.startsWith('Predict: ');
const isFound = ({ heading }: Asked) => /^(Derive: |Exercise: (derive|design) )/.test(heading);
/** A prediction is answered by the cell after it and by its check, and need not be called. */
const idle = (text: string) => exercisesOf(text).filter((asked) => !asked.isUsed && !isPredicted(asked)).map(({ id }) => id); // prettier-ignore

describe.each(chapters.map(({ name }) => name))('%s', (name) => {
  const text = readFileSync(join(resolve(import.meta.dirname, '../../../solutions'), `${name}.ts`), 'utf8');

  test('uses what students write, outside of its check', () => expect(idle(text)).toEqual([]));

  test('asks for a derivation or a design, and for two predictions', () => {
    const asked = exercisesOf(text);
    expect(asked.filter(isFound).length).toBeGreaterThanOrEqual(1);
    expect(asked.filter(isPredicted).length).toBeGreaterThanOrEqual(2);
  });
});

test('a function that only its check calls is found, also where a comment names it', () => {
  const exercise =
    "// %%\nfunction half(x: number) {\n  // BEGIN SOLUTION a.half\n}\n\n// %%\nawait check('a.half', half);\n";
  const page = (cell: string) => `// %% [markdown]\n// ### Exercise: a half\n\n${exercise}\n// %%\n${cell}\n`;
  expect(idle(page('const x = 1; // half of 2'))).toEqual(['a.half']);
  expect(idle(page('yours(half, (x: number) => x / 2)(3);'))).toEqual([]);
  expect(idle(page('').replace('Exercise:', 'Predict:'))).toEqual([]);
});
