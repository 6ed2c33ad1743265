import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { describe, expect, test } from 'vitest';
import { HOUSE, housePicture, type Package } from '../../app/docs/house';
import { files, ROOT } from './pages';

// The picture shows the rooms that there are, and its floors are those that the imports make.

const NO_ROOMS = ['bin', 'share', 'dist', 'node_modules']; // read or started by their path

function roomsOf(one: string): string[] {
  const entries = readdirSync(join(ROOT, one), { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory() && !NO_ROOMS.includes(entry.name)).map(({ name }) => name);
}

/** Imports between rooms of one package that do not lead to a lower floor of the picture: "lib: core → training". */
function climbing(house: readonly Package[]): string[] {
  const floorOf = new Map(
    house.flatMap(({ name, floors }) =>
      floors.flatMap((floor, i) => floor.map((room): [string, number] => [`${name}/${room.name}`, i])),
    ),
  );
  const roomOf = (path: string) => path.split('/').slice(0, 2).join('/');
  const found = files
    .filter((file) => /^(lib|jupyter|grader|app)\/.*\.ts$/.test(file))
    .flatMap((file) => {
      const text = readFileSync(join(ROOT, file), 'utf8');
      const imported = [...text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)];
      return imported.map(([, path]) => [roomOf(file), roomOf(posix.join(dirname(file), path!))] as const);
    })
    .filter(([from, to]) => from !== to && dirname(from) === dirname(to) && floorOf.has(from) && floorOf.has(to))
    .filter(([from, to]) => floorOf.get(to)! >= floorOf.get(from)!);
  return [...new Set(found.map(([from, to]) => `${from} → ${to}`))];
}

test.each(HOUSE.map((one) => [one.name, one] as const))('%s: every room once, and no other', (name, { floors }) => {
  const shown = floors.flatMap((floor) => floor.map((room) => room.name));
  expect([...shown].sort()).toEqual(roomsOf(name).sort());
});

test('every import leads to a lower floor', () => expect(climbing(HOUSE)).toEqual([]));

test('a room on too low a floor is seen', () => {
  const flat = HOUSE.map((one) => ({ ...one, floors: [one.floors.flat()] }));
  expect(climbing(flat)).toContain('lib/training → lib/core');
});

describe('the picture', () => {
  const svg = housePicture();

  test('names every package and every room', () => {
    for (const { name, floors } of HOUSE)
      for (const word of [`${name}/`, ...floors.flat().map((room) => room.name)])
        expect(svg).toContain(`>${word}</text>`);
  });

  test('no words are wider than their box', () => {
    // seven pixels a letter is more than any of its letters on average, at 12 and 13 pixels
    const boxes = [
      ...svg.matchAll(
        /<rect [^>]*width="([\d.]+)" height="(\d+)"[^>]*class="room"\/>\n<text x="([\d.]+)"[^>]*>[^<]*<\/text>\n<text x="([\d.]+)"[^>]*>([^<]*)</g,
      ),
    ];
    expect(boxes.length).toBe(HOUSE.flatMap(({ floors }) => floors.flat()).length);
    for (const [, width, , x, from, words] of boxes)
      expect(Number(from) - Number(x) + 9 + 6.6 * words!.length, words).toBeLessThan(Number(width));
  });
});
