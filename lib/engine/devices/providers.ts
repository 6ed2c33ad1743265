/**
 * Which of ONNX Runtime's providers work on this machine, and which is the fastest for a graph.
 *
 * Nothing is believed that has not been tried: a provider counts as available when a child process has computed
 * the right numbers on it (a child, because a graphics driver may crash). 'auto' measures a graph of each size class
 * once and keeps the answer. A Vulkan driver that computes on the CPU is available, and never chosen by 'auto'.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { cpus, hostname, release } from 'node:os';
import { basename, join } from 'node:path';
import { sizeClass } from '../graph/graph-size';
import { OnnxBuilder } from '../onnx/onnx';
import type { ProbeAnswer, ProbeJob } from './probe';
import type { Program } from '../trace/program';
import { keepsOnDevice, runtime, runtimeProblem, type Provider } from '../runtime/runtime';
import { keep, recall } from '../../host/user-cache';

/** A provider, or the fastest one. */
export type Device = 'auto' | Provider;

/** What a graph runs on. */
export interface Choice {
  readonly provider: Provider;
  /** For a reader: "the fastest: 2.1 ms, 8.3 ms on the cpu". */
  readonly reason: string;
  /** Where it was measured: one run on each provider. */
  readonly milliseconds?: Readonly<Partial<Record<Provider, number>>>;
}

export interface Availability {
  readonly provider: Provider;
  readonly available: boolean;
  /** It works, but on the CPU: a software Vulkan driver. */
  readonly software?: boolean;
  readonly reason: string;
  /** What to do about it, where something can be done. */
  readonly remedy?: string;
}

export const PROVIDERS: readonly Provider[] = ['cpu', 'webgpu', 'cuda'];
const PATIENCE_MS = 60_000; // a first start compiles shaders
const MARGIN = 0.9; // a device must beat the cpu by more than the noise of a measurement

/** Thrown when the user asks for a device that does not work here. */
export class DeviceMissing extends Error {
  override readonly name = 'DeviceMissing';
}

/**
 * The provider for a program.
 * @param state inputs that are the program's last outputs at the run before, and so may stay on the device
 * @throws DeviceMissing
 */
export function chooseProvider(
  asked: Device | undefined,
  program: Program,
  threads: number,
  state: readonly number[] = [],
): Choice {
  const device = deviceFor(asked);
  if (device === 'auto') return fastest(program, threads, state);
  const { available, reason, remedy } = availability(device);
  if (!available)
    throw new DeviceMissing(`device: '${device}' is not available: ${reason}${remedy ? `; ${remedy}` : ''}`);
  return { provider: device, reason: device === 'cpu' ? 'as asked' : `as asked: ${reason}` };
}

const deviceFor = (asked: Device | undefined): Device => asked ?? deviceOf(process.env['DGM_DEVICE']);

/** Whether something asked for so may come to run where its state can stay. */
export function mayStay(asked: Device | undefined): boolean {
  const device = deviceFor(asked);
  return device === 'auto' ? gpus().some(keepsOnDevice) : keepsOnDevice(device);
}

/** Reads DGM_DEVICE. @throws when it names no device */
export function deviceOf(name: string | undefined): Device {
  if (!name) return 'auto';
  const known: readonly string[] = ['auto', ...PROVIDERS];
  if (known.includes(name)) return name as Device;
  throw new Error(`DGM_DEVICE must be ${known.join(', ')}, got '${name}'`);
}

/** The providers that work here, on a device that is none of software. */
function gpus(): Provider[] {
  return PROVIDERS.slice(1).filter((provider) => {
    const { available, software } = availability(provider);
    return available && !software;
  });
}

function fastest(program: Program, threads: number, state: readonly number[]): Choice {
  const others = gpus();
  if (others.length === 0) return { provider: 'cpu', reason: 'no GPU that works here; npm run doctor says why' };
  const stays = state.length > 0 ? ' with its state' : '';
  const key = `choice ${machine()} threads ${threads} ${sizeClass(program.graph)}${stays}`;
  const known = recall(key) as Choice | undefined;
  if (known && (known.provider === 'cpu' || others.includes(known.provider))) return known;
  const choice = measured(program, threads, state, ['cpu', ...others]);
  keep(key, choice);
  return choice;
}

function measured(
  { graph, modelFor }: Program,
  threads: number,
  state: readonly number[],
  providers: readonly Provider[],
): Choice {
  const milliseconds: Partial<Record<Provider, number>> = {};
  for (const provider of providers) {
    const model = modelFor(provider);
    const inputs = graph.inputs.map(({ shape, dtype }, i) => ({ shape, dtype, name: model.inputs[i]! }));
    const resident = {
      inputs: state.map((i) => model.inputs[i]!),
      outputs: model.outputs.slice(model.outputs.length - state.length),
    };
    const job = { provider, threads, model: base64(model.bytes), inputs, outputs: model.outputs };
    const result = runProbe({ ...job, ...(keepsOnDevice(provider) && { resident }) });
    if ('answer' in result) milliseconds[provider] = result.answer.milliseconds;
  }
  return pick(milliseconds);
}

/** The fastest; the cpu unless another is clearly faster, or the cpu failed. */
export function pick(milliseconds: Readonly<Partial<Record<Provider, number>>>): Choice {
  const cpu = milliseconds.cpu ?? Infinity;
  const [best, time] = Object.entries(milliseconds).sort(([, a], [, b]) => a - b)[0] ?? ['cpu', Infinity];
  const provider = time < MARGIN * cpu ? (best as Provider) : 'cpu';
  const list = Object.entries(milliseconds).map(([name, ms]) => `${name} ${ms.toFixed(2)} ms`);
  return { provider, reason: `the fastest when measured: ${list.join(', ')}`, milliseconds };
}

// Availability

const found = new Map<Provider, Availability>();

/**
 * Whether a provider works here: tried once, then remembered, by this process and for a week by the cache folder.
 * @param fresh tries again, as `doctor` does
 */
export function availability(provider: Provider, fresh = false): Availability {
  const known = fresh ? undefined : found.get(provider);
  const result = known ?? withoutTrying(provider) ?? remembered(provider, fresh);
  found.set(provider, result);
  return result;
}

function remembered(provider: Provider, fresh: boolean): Availability {
  const key = `available ${machine()} ${provider}`;
  const known = fresh ? undefined : (recall(key, 7) as Availability | undefined);
  if (known) return known;
  const result = tried(provider);
  keep(key, result);
  return result;
}

/** What can be said without starting a process. */
function withoutTrying(provider: Provider): Availability | undefined {
  const no = (reason: string, remedy?: string) => ({ provider, available: false, reason, ...(remedy && { remedy }) });
  const problem = runtimeProblem();
  if (problem !== undefined) return no(problem, 'steps run eagerly on TensorFlow.js');
  if (provider === 'cpu') return { provider, available: true, reason: 'bundled with onnxruntime-node' };
  const backends = runtime().native.listSupportedBackends();
  if (!backends.some(({ name }) => name === provider))
    return no(`onnxruntime-node ${runtime().version} has no ${provider} for ${process.platform}-${process.arch}`);
  if (provider === 'cuda' && !existsSync(join(runtime().folder, 'libonnxruntime_providers_cuda.so')))
    return no(
      "CUDA's files are not installed",
      'with an NVIDIA GPU, CUDA 12 and cuDNN 9: node node_modules/onnxruntime-node/script/install --onnxruntime-node-install=cuda12',
    );
  if (provider === 'webgpu' && process.platform === 'linux' && gpuFiles().length === 0 && driverFile() === undefined)
    return no('this machine shows no GPU (neither /dev/dri/renderD*, /dev/nvidia* nor /dev/dxg)');
  return undefined;
}

/** A small product, computed in a child process, with its numbers checked. */
function tried(provider: Provider): Availability {
  const check = checkJob();
  const result = runProbe({ ...check, provider, threads: 1 });
  if ('failure' in result)
    return { provider, available: false, reason: result.failure, remedy: REMEDY[provider as keyof typeof REMEDY] };
  const got = result.answer.outputs[0] ?? [];
  if (!got.every((value) => value === check.expected))
    return { provider, available: false, reason: `it computes wrongly: expected ${check.expected}, got ${got.join()}` };
  const software = provider === 'webgpu' && isSoftware(result.log);
  const reason = software ? 'works, on a software driver: right, but slower than the cpu' : 'works';
  return { provider, available: true, reason, ...(software && { software }) };
}

const REMEDY = {
  webgpu:
    process.platform === 'linux'
      ? "install the GPU's Vulkan driver and its loader (Debian: libvulkan1 with mesa-vulkan-drivers, or NVIDIA's driver)"
      : "update the GPU's driver",
  cuda: "check NVIDIA's driver with nvidia-smi, and install CUDA 12 and cuDNN 9 where the loader finds them",
};

/** 0.5 · 0.5 summed over 4, plus 0.5: exact in every precision. */
function checkJob(): Omit<ProbeJob, 'provider' | 'threads'> & { readonly expected: number } {
  const spec = { shape: [4, 4], dtype: 'float32' } as const;
  const b = new OnnxBuilder();
  const value = b.op('Add', [b.op('MatMul', ['x', 'x']), 'x']);
  const inputs = [{ ...spec, name: 'x' }];
  return { model: base64(b.model(inputs, [{ ...spec, name: 'y', value }])), inputs, outputs: ['y'], expected: 1.5 };
}

/**
 * True when Vulkan's driver computes on the CPU: either the environment names such a driver, or the runtime, which
 * lists the devices it finds, found no GPU.
 */
export function isSoftware(log: string, driver = driverFile()): boolean {
  if (driver !== undefined && /swiftshader|lvp|llvmpipe|lavapipe/i.test(driver)) return true;
  const devices = [...log.matchAll(/Discovered OrtHardwareDevice \{[^}]*\btype:(\d)/g)].map(([, type]) => type);
  return devices.length > 0 && !devices.includes(GPU);
}

const GPU = '1'; // OrtHardwareDeviceType_GPU

/** The Vulkan driver that the environment asks for. */
function driverFile(): string | undefined {
  return process.env['VK_DRIVER_FILES'] || process.env['VK_ICD_FILENAMES'] || undefined;
}

/** Device files by which a GPU can be reached on Linux. */
function gpuFiles(): string[] {
  const list = (folder: string, pattern: RegExp) =>
    (existsSync(folder) ? readdirSync(folder) : []).filter((name) => pattern.test(name));
  return [...list('/dev/dri', /^renderD/), ...list('/dev', /^(nvidia\d|dxg$)/)];
}

// The child process

type ProbeResult = { readonly answer: ProbeAnswer; readonly log: string } | { readonly failure: string };

/** Runs a job in a child process, which may crash or hang. */
export function runProbe(job: ProbeJob): ProbeResult {
  const script = probeScript();
  if (!existsSync(script)) return { failure: `${script} is not built; run: npm run build` };
  const { stdout, stderr, status, signal, error } = spawnSync(process.execPath, [script], {
    input: JSON.stringify(job),
    encoding: 'utf8',
    timeout: PATIENCE_MS,
    killSignal: 'SIGKILL',
    maxBuffer: 2 ** 26,
    windowsHide: true,
  });
  if (status === 0) return { answer: JSON.parse(stdout) as ProbeAnswer, log: stderr };
  return { failure: failureOf(stderr ?? '', status, signal, error) };
}

function failureOf(stderr: string, status: number | null, signal: string | null, error: Error | undefined): string {
  if (error && (error as NodeJS.ErrnoException).code === 'ETIMEDOUT') return `no answer within ${PATIENCE_MS / 1000} s`;
  if (error) return `a process to try it in does not start: ${error.message}`;
  const message = /^Error: (.*)$/m.exec(stderr)?.[1] ?? /^terminate called .*$/m.exec(stderr)?.[0];
  const what = message?.replace(/^\/onnxruntime_src\/.* was false\. /, ''); // without the runtime's own source line
  const why = /^Warning: (Couldn't load .*|.*Found no drivers.*)$/m.exec(stderr)?.[1];
  const text = [what, why && `(${why})`].filter(Boolean).join(' ');
  if (signal) return `its driver crashes (${signal})${text && `: ${text}`}`;
  return text || `exit code ${status}`;
}

/** From the sources as from the build: the built one, as Node cannot run the source. */
function probeScript(): string {
  const above = join(__dirname, '..', '..');
  const built = basename(above) === 'dist' ? above : join(above, 'dist');
  return join(built, 'engine', 'devices', 'probe.js');
}

/** Names what the answers depend on: the machine, its devices, the drivers named to it, and the package. */
function machine(): string {
  const { LD_LIBRARY_PATH, CUDA_VISIBLE_DEVICES } = process.env;
  const cores = cpus();
  const parts = [hostname(), cores[0]?.model, cores.length, process.platform, process.arch, release()];
  const devices = [gpuFiles(), driverFile(), LD_LIBRARY_PATH, CUDA_VISIBLE_DEVICES];
  const text = JSON.stringify([...parts, ...devices, runtime().version, runtime().folder]);
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
