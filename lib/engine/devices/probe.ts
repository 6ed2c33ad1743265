/**
 * Runs one model on one provider and says how that went. A program of its own, because a graphics driver may take
 * the whole process down: `providers` starts it as a child, with a job on standard input.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Spec } from '../graph/graph';
import {
  hostTensor,
  openSession,
  type Numbers,
  type Provider,
  type RuntimeTensor,
  type Session,
} from '../runtime/runtime';
import { upload } from '../runtime/transfer';
import { sizeOf } from '../graph/graph';

export interface ProbeJob {
  readonly provider: Provider;
  readonly threads: number;
  /** The ONNX model, in base64. */
  readonly model: string;
  readonly inputs: readonly (Spec & { readonly name: string })[];
  readonly outputs: readonly string[];
  /** Inputs that are on the device already, and outputs that stay there. */
  readonly resident?: { readonly inputs: readonly string[]; readonly outputs: readonly string[] };
}

export interface ProbeAnswer {
  /** The median of some runs, after a first one. */
  readonly milliseconds: number;
  /** What the first run gave for the outputs that are not on the device. */
  readonly outputs: readonly (readonly number[])[];
}

const FILL = 0.5; // nowhere near a denormal, which would slow a CPU down
const MAX_RUNS = 15;
const ENOUGH_MS = 300;

export function probe({ provider, threads, model, inputs, outputs, resident }: ProbeJob): ProbeAnswer {
  const onDevice = resident?.outputs ?? [];
  const session = openSession(Buffer.from(model, 'base64'), { provider, threads, onDevice });
  const stay = inputs.filter(({ name }) => resident?.inputs.includes(name));
  const there = stay.length > 0 ? upload(stay.map(filled), stay, provider) : [];
  const feeds = Object.fromEntries([
    ...inputs.map((spec): [string, RuntimeTensor] => [spec.name, hostTensor(filled(spec), spec.shape, spec.dtype)]),
    ...stay.map(({ name }, i): [string, RuntimeTensor] => [name, there[i]!]),
  ]);
  const first = run(session, feeds, outputs);
  const times: number[] = [];
  for (let spent = 0; times.length < MAX_RUNS && spent < ENOUGH_MS; spent += times.at(-1)!) {
    const started = performance.now();
    run(session, feeds, outputs);
    times.push(performance.now() - started);
  }
  return { milliseconds: median(times), outputs: first };
}

/** The outputs on the host; those on the device are let go. */
function run(session: Session, feeds: Readonly<Record<string, RuntimeTensor>>, names: readonly string[]): number[][] {
  const results = session.run(feeds, Object.fromEntries(names.map((name) => [name, null])));
  return names.flatMap((name) => {
    const result = results[name]!;
    if (result.location === 'cpu') return [Array.from(result.data.subarray(0, 64))];
    result.dispose();
    return [];
  });
}

function filled({ shape, dtype }: Spec): Numbers {
  const size = sizeOf(shape);
  if (dtype === 'float32') return new Float32Array(size).fill(FILL);
  return dtype === 'bool' ? new Uint8Array(size) : new Int32Array(size);
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1]!;
}

if (require.main === module) {
  const { env } = createRequire(__filename)('onnxruntime-common') as { env: { logLevel: string } };
  env.logLevel = 'info'; // makes the runtime list the devices it finds, on standard error
  console.log(JSON.stringify(probe(JSON.parse(readFileSync(0, 'utf8')) as ProbeJob)));
}
