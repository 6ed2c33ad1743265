/** The house in one picture: packages that stand on each other, and in each the rooms, floor by floor. */
import { escapeHtml } from 'dgm/figures';

interface Room {
  /** Its folder within the package. */
  readonly name: string;
  readonly what: string;
}

export interface Package {
  readonly name: string;
  readonly what: string;
  /** From the ground upwards. A room may import rooms of lower floors, and no other. */
  readonly floors: readonly (readonly Room[])[];
}

const rooms = (floor: Readonly<Record<string, string>>): Room[] =>
  Object.entries(floor).map(([name, what]) => ({ name, what }));

/** From the ground upwards. A package may import those below it, by their doors. */
export const HOUSE: readonly Package[] = [
  {
    name: 'lib',
    what: 'package dgm: what models are made of, in the order of the seven steps',
    floors: [
      rooms({ host: 'cell, stop button, progress, files', optimisers: 'step 4, and schedules' }),
      rooms({ core: 'the contract, seeded streams, densities, weights' }),
      rooms({
        networks: 'step 2: layers',
        circuits: 'sums and products',
        statistics: 'oracles and tests',
        engine: 'trace, compile, run',
      }),
      rooms({
        sampling: 'step 7, compiled',
        evaluation: 'step 6: the likelihood of new inputs',
        figures: 'what a cell shows',
      }),
      rooms({
        bijections: 'layers of flows',
        adversarial: 'games and critics',
        data: 'digits, data of known entropy',
        training: 'step 5: fit and em',
      }),
      rooms({ latents: 'priors, posteriors, the bound', diffusion: 'noise, scores, flows, solvers' }),
      rooms({ energies: 'chains, ln Z, losses without Z' }),
      rooms({ families: 'steps 1 and 3: one file a family, read downwards through the seven steps' }),
      rooms({ comparison: 'baselines, and the ladder that a trained model has to climb' }),
    ],
  },
  {
    name: 'jupyter',
    what: 'package dgm-jupyter: the notebook side',
    floors: [
      rooms({ format: 'notebook files, outputs' }),
      rooms({ client: 'starts kernels and runs cells in them' }),
      rooms({ kernel: 'what Jupyter starts: compiles cells, runs them, stops them' }),
    ],
  },
  {
    name: 'grader',
    what: 'package grader: along a submission’s way',
    floors: [
      rooms({ base: 'files, places, what a submission sees', exercise: 'what a check is, and how values travel' }),
      rooms({
        chapters: 'public checks, hidden checks, mistakes',
        compile: 'takes exercises out of notebooks, checks types',
      }),
      rooms({ authoring: 'source to notebooks, release', sandbox: 'shuts a submission in, asks it for values' }),
      rooms({ student: 'a cell’s check, hints, worked solutions', grading: 'one submission, from file to result' }),
      rooms({ gradebook: 'a class: jobs, leases, verdicts, policy' }),
      rooms({ selftest: 'grades the grader, by mistakes and by attacks' }),
      rooms({ reports: 'feedback, statistics, similarity, tables' }),
      rooms({ commands: 'npx grade, npm run notebooks' }),
    ],
  },
  {
    name: 'app',
    what: 'what npm starts; it may use everything, and is used by nobody',
    floors: [
      rooms({
        setup: 'install, build',
        'command-line': 'options, help',
        chapters: 'find, run',
        pages: 'a chapter as HTML',
        pictures: 'figures as PNG',
      }),
      rooms({ desk: 'a front end of its own, on Node', docs: 'npm run docs', bench: 'npm run bench' }),
      rooms({ start: 'npm start, npm run doctor, solutions, kernel' }),
    ],
  },
];

// The picture, in pixels

const [WIDTH, MARGIN, GAP] = [1000, 16, 8];
const [ONE_LINE, TWO_LINES, HEAD] = [26, 42, 32];
const LABEL = 94; // "floor 1", "datasets/"

const COLOURS: Readonly<Record<string, string>> = {
  lib: '#dbe9f6',
  jupyter: '#e4dff2',
  grader: '#f8e5d4',
  app: '#dcefdf',
};

const textAt = (x: number, y: number, kind: string, content: string): string =>
  `<text x="${x}" y="${y}" class="${kind}">${escapeHtml(content)}</text>`;

/** Up to two rooms have their words in one line. */
const roomHeight = (floor: readonly Room[]): number => (floor.length > 2 ? TWO_LINES : ONE_LINE);

function roomBox({ name, what }: Room, x: number, y: number, width: number, height: number): string {
  const [dx, dy] = height === ONE_LINE ? [104, 17] : [9, 34];
  return [
    `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="4" class="room"/>`,
    textAt(x + 9, y + 17, 'name', name),
    textAt(x + dx, y + dy, 'what', what),
  ].join('\n');
}

function floorRow(floor: readonly Room[], number: number, x: number, y: number, width: number): string {
  const height = roomHeight(floor);
  const each = (width - LABEL - (floor.length - 1) * GAP) / floor.length;
  const boxes = floor.map((room, i) => roomBox(room, x + LABEL + i * (each + GAP), y, each, height));
  return [textAt(x + 14, y + height / 2 + 4, 'floor', `floor ${number}`), ...boxes].join('\n');
}

const heightOf = ({ floors }: Package): number => floors.reduce((sum, floor) => sum + roomHeight(floor) + GAP, HEAD);

function packageBox(one: Package, x: number, top: number, width: number): string {
  const { name, what, floors } = one;
  let y = top + heightOf(one);
  const rows = floors.map((floor, i) => {
    y -= roomHeight(floor) + GAP;
    return floorRow(floor, i + 1, x, y, width - GAP);
  });
  return [
    `<rect x="${x}" y="${top}" width="${width}" height="${heightOf(one)}" rx="6" fill="${COLOURS[name]}"/>`,
    textAt(x + 14, top + 21, 'name', `${name}/`),
    textAt(x + LABEL, top + 21, 'head', what),
    ...rows,
  ].join('\n');
}

/** The picture as SVG: the roof is at the top, and whoever stands higher may use what is lower. */
export function housePicture(house: readonly Package[] = HOUSE): string {
  let y = MARGIN;
  const boxes = [...house].reverse().map((one) => {
    const box = packageBox(one, MARGIN, y, WIDTH - 2 * MARGIN);
    y += heightOf(one) + GAP;
    return box;
  });
  const ground = `<rect x="${MARGIN}" y="${y}" width="${WIDTH - 2 * MARGIN}" height="34" rx="6" fill="#e6e6e6"/>
${textAt(MARGIN + 14, y + 21, 'name', 'datasets/')}
${textAt(MARGIN + LABEL, y + 21, 'head', 'the data, with source, licence and checksum')}`;
  const height = y + 34 + MARGIN;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">
<title>The packages and their rooms, floor by floor</title>
<style>
  text { font-family: system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif; font-size: 12px; fill: #1c2733; }
  .name { font-weight: 600; font-size: 13px; }
  .head { font-size: 13px; }
  .what { fill: #44505c; }
  .floor { fill: #44505c; }
  .room { fill: #ffffff; stroke: #8a97a5; }
</style>
<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>
${boxes.join('\n')}
${ground}
</svg>
`;
}
