/** Runs a chapter's exercises here, without a sandbox: hundreds of seeds and dozens of answers in seconds. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import * as dgm from 'dgm';
import * as grader from 'grader';
import ts from 'typescript';
import { buildChapter } from '../../../grader/authoring/build-chapter';
import { chapters, withHidden, type Chapter } from '../../../grader/chapters/registry';
import { extract } from '../../../grader/compile/extract';
import { runChecks, scoreOf, Thrown, type Call, type CheckReport } from '../../../grader/exercise/checking';
import type { GradedExercise } from '../../../grader/exercise/exercise';
import { decode, encode } from '../../../grader/exercise/protocol';

export const chapterNames = chapters.map(({ name }) => name);

/** An exercise's function, as a student might hand it in. */
export type Answer = (...args: unknown[]) => unknown;

/** What stands in one exercise: another body, or the authored one with one text replaced. */
export type Edit = { readonly body: string } | { readonly replace: string; readonly by: string };

export interface SolvedChapter {
  readonly exercises: readonly GradedExercise[];
  /** The exercise's function; the functions that it calls are the authored ones. */
  answer(exercise: GradedExercise, edit?: Edit): Promise<Answer>;
}

export async function solvedChapter(name: string): Promise<SolvedChapter> {
  const chapter = chapters.find((known): known is Chapter => known.name === name)!;
  const exercises = await withHidden(chapter).exercises();
  const where = join(resolve(import.meta.dirname, '../../../solutions'), `${name}.ts`);
  const { complete, solutions } = buildChapter({
    chapter: name,
    text: readFileSync(where, 'utf8'),
    where,
    exercises,
  });
  const cells = complete.cells.filter((cell) => cell.cell_type === 'code');
  const functions = exercises.map(({ functionName }) => functionName);
  const sources = cells.map(({ id, source }, i) => ({ number: i + 1, id, source }));
  const { code } = extract(sources, functions).emit(functions);
  return {
    exercises,
    async answer({ id, functionName }, edit) {
      const body = solutions.find(({ exercise }) => exercise === id)!.body.join('\n');
      return (await load(edit ? replaced(code, body, edited(body, edit)) : code))[functionName]!;
    },
  };
}

function edited(body: string, edit: Edit): string {
  return 'body' in edit ? edit.body : replaced(body, edit.replace, edit.by);
}

function replaced(text: string, from: string, to: string): string {
  const count = text.split(from).length - 1;
  if (count !== 1) throw new Error(`this occurs ${count} times, not once:\n${from}`);
  return text.replace(from, () => to);
}

/** The module that the grader would compile, run here. */
async function load(code: string): Promise<Record<string, Answer>> {
  const compilerOptions = { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022, esModuleInterop: true };
  const { outputText } = ts.transpileModule(code, { compilerOptions });
  const exports: { notebook?: () => Promise<Record<string, Answer>> } = {};
  const packages: Readonly<Record<string, object>> = { '@tensorflow/tfjs': tf, dgm, grader };
  new Function('exports', 'require', outputText)(exports, (name: string) => ({ ...packages[name], __esModule: true }));
  return exports.notebook!();
}

export interface Marks {
  /** The share of the points, 0 to 1. */
  readonly score: number;
  readonly checks: readonly CheckReport[];
}

/** What the answer earns from the student whose inputs these are. */
export async function marksOf(exercise: GradedExercise, answer: Answer, seed: string): Promise<Marks> {
  const { checks } = await runChecks(exercise, () => callOf(answer), seed);
  return { score: scoreOf(exercise, checks), checks };
}

/** Values go through the protocol, as in grading. */
function callOf(answer: Answer): Call {
  const evaluate = (source: string): unknown => new Function('tf', 'dgm', `return (${source});`)(tf, dgm);
  return async (...args) => {
    const kept: Answer[] = [];
    try {
      const result = await answer(...args.map((arg) => decode(encode(arg), { evaluate })));
      const wire = encode(result, (value) => kept.push(value as Answer) - 1);
      return decode(wire, { callable: (index) => callOf(kept[index]!) });
    } catch (error) {
      const { name, message } = error as Error;
      throw new Thrown(name, message);
    }
  };
}

/** The first check that is not content, in words; undefined when all are. */
export function whyNot({ checks }: Marks): string | undefined {
  const failed = checks.find(({ status }) => status !== 'passed');
  if (!failed) return undefined;
  const { name, expected, got, hint, message } = failed;
  return `${name}: ${message ?? `expected ${expected}, got ${got}; ${hint}`}`;
}
