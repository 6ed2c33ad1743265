/**
 * The self-tests of several chapters at the same time, each in a process of its own, since the scopes in which tfjs
 * counts tensors cannot be shared by checks that wait for each other.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { built } from '../base/paths';
import type { FromChild } from './chapter-child';
import type { ChapterReport } from './selftest';

/**
 * @param names of the course's chapters
 * @param program what answers; the tests have others
 * @param onChapter called with each report in the order of the names, as soon as it and those before it are there
 * @throws Error when a process ends before it has answered, or cannot test its chapter
 */
export async function testChapters(
  names: readonly string[],
  jobs: number,
  onChapter: (report: ChapterReport) => void = () => undefined,
  program = built('selftest/chapter-child.js'),
): Promise<ChapterReport[]> {
  const waiting = [...names.entries()];
  const reports = new Map<number, ChapterReport>();
  let told = 0;
  const work = async () => {
    const child = fork(program, { execArgv: [] });
    try {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const [i, name] = next;
        reports.set(i, await ask(child, name));
        for (; reports.has(told); told++) onChapter(reports.get(told)!);
      }
    } finally {
      waiting.length = 0; // after a failure nobody begins another
      if (child.connected) child.disconnect();
    }
  };
  await Promise.all(Array.from({ length: Math.min(jobs, names.length) }, work));
  return names.map((_, i) => reports.get(i)!);
}

function ask(child: ChildProcess, name: string): Promise<ChapterReport> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      child.off('message', onMessage).off('exit', onExit);
      act();
    };
    const onMessage = (message: FromChild) =>
      settle(() => ('report' in message ? resolve(message.report) : reject(new Error(`${name}: ${message.failure}`))));
    const onExit = (code: number | null, signal: string | null) =>
      settle(() => reject(new Error(`the self-test of ${name} ended with ${signal ?? `exit status ${code}`}`)));
    child.on('message', onMessage).on('exit', onExit);
    if (child.connected) child.send(name);
    else onExit(child.exitCode, child.signalCode);
  });
}
