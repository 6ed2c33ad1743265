/**
 * One engine, one configuration, one number of threads, in a process of its own, so that its memory is its own too.
 * Speaks the protocol of protocol.ts, and ends with stdin.
 *
 *     node worker.js ENGINE NAME THREADS SIZES    SIZES: a JSON object that replaces some of the configuration's own
 */
import { createInterface } from 'node:readline';
import * as tf from '@tensorflow/tfjs';
import { createSteppers, type Steppers, useEager } from 'dgm/engine';
import { adam, createRng, type Rng } from 'dgm';
import { configurations, type Sizes, type Workload } from './configurations';
import type { Engine, Failure, Ready, Turn } from './protocol';

const LEARNING_RATE = 1e-3;

async function main([engine, name, threads, sizes]: readonly string[]): Promise<void> {
  process.env['DGM_THREADS'] = threads!;
  const version = await start(engine as Engine);
  const rng = createRng(1);
  const configuration = configurations.find((candidate) => candidate.name === name)!;
  const workload = configuration.create(rng.fork('model'), JSON.parse(sizes!) as Sizes);
  const steppers = createSteppers(workload.objectives, adam(LEARNING_RATE), {
    engine: engine === 'compiled' ? 'auto' : 'eager',
  });
  const run = { workload, steppers, rng, steps: 0 };
  const firstMs = await timedStep(run);
  const how = steppers.engine();
  if (engine === 'compiled' && !how.startsWith('compiled')) throw new Error(`not compiled, but ${how}`);
  const variables = workload.objectives.flatMap((objective) => objective.variables);
  answer<Ready>({ version, parameters: variables.reduce((sum, { size }) => sum + size, 0), firstMs });
  for await (const line of createInterface({ input: process.stdin })) answer<Turn>(await turn(run, Number(line)));
  await steppers.dispose();
}

/** Makes ready what computes, and says what it is. */
async function start(engine: Engine): Promise<string> {
  if (engine === 'compiled') return 'compiled';
  process.env['DGM_EAGER'] = engine; // also for what asks later
  const { package: name } = await useEager();
  return `${name} ${tf.version_core}`;
}

interface Run {
  readonly workload: Workload;
  readonly steppers: Steppers;
  readonly rng: Rng;
  steps: number;
}

async function timedStep(run: Run): Promise<number> {
  const rng = run.rng.fork(`step ${run.steps++}`);
  const started = performance.now();
  const batch = run.workload.batch(rng.fork('data'));
  for (const stepper of run.steppers.each)
    await stepper.step(batch, rng.fork(stepper.objective.name), `step ${run.steps}`);
  batch.x.dispose();
  batch.y?.dispose();
  return performance.now() - started;
}

/** Steps for so many seconds, at least one; one more before them is not counted, since caches have gone cold. */
async function turn(run: Run, seconds: number): Promise<Turn> {
  await timedStep(run);
  const ms: number[] = [];
  const end = performance.now() + 1000 * seconds;
  do ms.push(await timedStep(run));
  while (performance.now() < end);
  return { ms, peakMiB: process.resourceUsage().maxRSS / 1024 };
}

function answer<T extends Ready | Turn | Failure>(message: T): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  answer<Failure>({ error: error instanceof Error ? error.message.split('\n')[0]! : String(error) });
  process.exit(1);
});
