/**
 * One of several graders at work: judges submissions one at a time in a process of its own, since the scopes in which
 * tfjs counts tensors cannot be shared by checks that wait for each other. The compiler is the parent's.
 */
import * as tf from '@tensorflow/tfjs';
import type { Limits } from '../sandbox/command-line';
import type { Compilation } from '../compile/compile';
import type { Compiler } from '../compile/service';
import { withHidden, type Chapter } from '../chapters/registry';
import type { SourceCell } from '../compile/pieces';
import type { SubmissionResult } from './result';
import { Fault, type FaultStatus } from '../exercise/status';
import { gradeSubmission, type Submission } from './grade-submission';
import type { Tier } from '../sandbox/tier';

export interface Job {
  readonly submission: Submission;
  readonly seed: string;
  readonly chapter?: string;
  readonly limits?: Partial<Limits>;
  readonly tier?: Tier;
}

export type ToWorker =
  | { readonly kind: 'grade'; readonly job: Job }
  | { readonly kind: 'compiled'; readonly compilation: Compilation }
  | { readonly kind: 'failed'; readonly status: FaultStatus; readonly message: string };

export type FromWorker =
  | { readonly kind: 'compile'; readonly cells: readonly SourceCell[]; readonly functions: readonly string[] }
  | { readonly kind: 'result'; readonly result: SubmissionResult };

const send = (message: FromWorker) => process.send!(message);

const compiler: Compiler = {
  compile: (cells, functions) =>
    new Promise((resolve, reject) => {
      process.once('message', (reply: ToWorker) => {
        if (reply.kind === 'compiled') resolve(reply.compilation);
        else if (reply.kind === 'failed') reject(new Fault(reply.status, reply.message));
      });
      send({ kind: 'compile', cells, functions });
    }),
  close: () => undefined,
};

/** The chapters of the course, or of the module named on the command line, which the tests use. */
async function loadChapters(file = '../chapters/registry'): Promise<readonly Chapter[]> {
  if (file.endsWith('.ts')) {
    const { register } = await import('ts-node');
    register({
      transpileOnly: true,
      skipProject: true,
      compilerOptions: { module: 'commonjs', esModuleInterop: true },
    });
  }
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- a path known only now, and ts-node serves require
  return (require(file) as { chapters: readonly Chapter[] }).chapters;
}

// else tfjs greets whoever grades
tf.enableProdMode();

const chapters = loadChapters(process.argv[2]).then((known) => known.map(withHidden));

process.on('message', (message: ToWorker) => {
  if (message.kind !== 'grade') return;
  const { submission, ...setting } = message.job;
  void chapters
    .then((known) => gradeSubmission(submission, { ...setting, chapters: known, compiler }))
    .then((result) => send({ kind: 'result', result }));
});

// the parent is gone; `exit` ends the child that runs a submission. Ctrl-C reaches us too, but the parent decides
process.on('disconnect', () => process.exit());
process.on('SIGTERM', () => process.exit());
process.on('SIGINT', () => undefined);
