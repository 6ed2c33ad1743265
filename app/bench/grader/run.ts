/** One measurement, in a process of its own, so that its memory is what this many submissions need. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { parseNotebook, serialiseNotebook } from 'dgm-jupyter';
import {
  buildFromFile,
  chapters,
  course,
  createCompiler,
  createPool,
  gradeFolder,
  strongestTier,
  type SubmissionResult,
} from 'grader/commands';
import { typescript } from './tiny-notebooks';

export type Kind = 'tiny' | 'chapter-03';

export interface Measured {
  /** From the first submission to the last result. */
  readonly seconds: number;
  /** When each result came, in seconds from the first submission. */
  readonly finished: readonly number[];
  /** Before that: the compiler reads the types of the libraries. */
  readonly startSeconds: number;
  /** The most memory that this process held, without its children. */
  readonly coordinatorMb: number;
}

async function measure(kind: Kind, count: number, jobs: number): Promise<Measured> {
  const folder = await mkdtemp(join(tmpdir(), 'grade-bench-'));
  const compiler = createCompiler();
  const pool = createPool(compiler, kind === 'tiny' ? join(__dirname, 'tiny.js') : undefined);
  try {
    await writeSubmissions(join(folder, 'submissions'), await notebookOf(kind), count);
    const before = performance.now();
    await compiler.compile([{ number: 1, id: 'a', source: 'function f() {}' }], ['f']);
    const started = performance.now();
    const finished: number[] = [];
    const tier = await strongestTier();
    let bad: SubmissionResult | undefined;
    await gradeFolder({
      folder: join(folder, 'submissions'),
      out: join(folder, 'graded'),
      jobs,
      bundleOf: async () => 'bench',
      grade: (submission) => pool.grade({ submission, seed: 'bench', tier }),
      onResult: (result) => {
        finished.push((performance.now() - started) / 1000);
        if (result.status !== 'graded' || result.points !== result.maxPoints) bad = result;
      },
    });
    if (bad) throw new Error(`${bad.student} should earn all its points: ${bad.status} ${bad.message ?? ''}`);
    return {
      seconds: finished.at(-1)!,
      finished,
      startSeconds: (started - before) / 1000,
      coordinatorMb: process.resourceUsage().maxRSS / 1024,
    };
  } finally {
    pool.close();
    compiler.close();
    await rm(folder, { recursive: true });
  }
}

async function notebookOf(kind: Kind): Promise<string> {
  if (kind === 'tiny') return typescript;
  const chapter = chapters.find(({ name }) => name.startsWith('03-'))!;
  return serialiseNotebook((await buildFromFile(chapter.name, course, chapters)).complete);
}

/** No two alike, so that nothing is graded once for all. */
async function writeSubmissions(folder: string, notebook: string, count: number): Promise<void> {
  await mkdir(folder);
  const { cells, ...rest } = parseNotebook(notebook, 'the notebook');
  for (let i = 0; i < count; i++) {
    const own = cells.map((cell) =>
      cell.cell_type === 'code' ? { ...cell, source: `${cell.source}\n// ${i}` } : cell,
    );
    await writeFile(join(folder, `student ${i}.ipynb`), serialiseNotebook({ ...rest, cells: own }));
  }
}

tf.enableProdMode();
const [kind, count, jobs] = process.argv.slice(2);
measure(kind as Kind, Number(count), Number(jobs)).then(
  (measured) => process.send!(measured, () => process.disconnect()),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
