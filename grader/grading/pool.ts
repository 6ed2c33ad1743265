/** Several workers that grade at the same time, and one compiler for all of them. */
import { fork, type ChildProcess } from 'node:child_process';
import { LIMITS } from '../sandbox/command-line';
import type { Compiler } from '../compile/service';
import type { SubmissionResult } from './result';
import { built } from '../base/paths';
import { Fault } from '../exercise/status';
import { infraResult } from './grade-submission';
import type { FromWorker, Job, ToWorker } from './worker';

export interface Pool {
  /** Grades on the first worker that is free. Never rejects: a worker that fails gives `infra_error`. */
  grade(job: Job): Promise<SubmissionResult>;
  close(): void;
}

/** @param chaptersFile a module that exports `chapters`, in place of the course's */
export function createPool(compiler: Compiler, chaptersFile?: string): Pool {
  const idle: ChildProcess[] = [];
  const all = new Set<ChildProcess>();
  let closed = false;
  const start = () => {
    const worker = fork(built('grading/worker.js'), chaptersFile === undefined ? [] : [chaptersFile], { execArgv: [] });
    all.add(worker);
    worker.once('exit', () => all.delete(worker));
    return worker;
  };
  return {
    async grade(job) {
      // nobody would end a worker that is started now
      if (closed) return infraResult(job.submission, job.seed, 'the grading is over');
      const worker = idle.pop() ?? start();
      try {
        const result = await gradeOn(worker, job, compiler);
        idle.push(worker);
        return result;
      } catch (error) {
        worker.kill('SIGTERM');
        return infraResult(job.submission, job.seed, error instanceof Error ? error.message : String(error));
      }
    },
    close() {
      closed = true;
      for (const worker of all) if (worker.connected) worker.disconnect();
    },
  };
}

/** One job, from the question to the result; rejects when the worker ends or is silent for too long. */
function gradeOn(worker: ChildProcess, job: Job, compiler: Compiler): Promise<SubmissionResult> {
  const send = (message: ToWorker) => worker.connected && worker.send(message);
  const patience = (job.limits?.wallMs ?? LIMITS.wallMs) + 60_000;
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const settle = (act: () => void) => {
      clearTimeout(timer);
      worker.off('message', onMessage).off('exit', onExit);
      act();
    };
    const wait = () => {
      timer = setTimeout(() => settle(() => reject(new Error('a grader did not answer'))), patience);
    };
    const onExit = () => settle(() => reject(new Error('a grader ended unexpectedly')));
    const onMessage = (message: FromWorker) => {
      if (message.kind === 'result') return settle(() => resolve(message.result));
      // how long the compiler takes, which others use too, is not the worker's time
      clearTimeout(timer);
      void answer(compiler, message).then(send).then(wait);
    };
    worker.on('message', onMessage).on('exit', onExit);
    if (!worker.connected) return onExit();
    send({ kind: 'grade', job });
    wait();
  });
}

async function answer(compiler: Compiler, request: Extract<FromWorker, { kind: 'compile' }>): Promise<ToWorker> {
  try {
    return { kind: 'compiled', compilation: await compiler.compile(request.cells, request.functions) };
  } catch (error) {
    const { status, message } = error instanceof Fault ? error : new Fault('infra_error', String(error));
    return { kind: 'failed', status, message };
  }
}
