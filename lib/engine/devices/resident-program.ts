/**
 * A program run again and again on its own results: a sampler's chain, a training's weights. The state stays where it
 * is computed: on webgpu in the device's memory, on the cpu in two sets of arrays that take turns. (cuda's results
 * come back to the host at every run: onnxruntime-node 1.30 binds device memory for webgpu alone.)
 */
import type { Rng } from '../../core/model';
import { sizeOf, type Spec } from '../graph/graph';
import { requireWithin } from '../graph/indices';
import type { Program } from '../trace/program';
import { hostTensor, keepsOnDevice, type Numbers, type Provider, type RuntimeTensor } from '../runtime/runtime';
import { sessionFor } from '../runtime/session-cache';
import { download, upload } from '../runtime/transfer';

export interface ResidentOptions {
  readonly provider: Provider;
  readonly threads: number;
  /** Where the state lies: shared by programs that take turns on one state. Default: a place of its own. */
  readonly place?: Place;
  /** Inputs that are the state, by their place among the program's inputs; as many last outputs are its next value. */
  readonly state: readonly number[];
  /** Inputs that are given anew at every step. Those that are neither keep the value of `start`. */
  readonly changing: readonly number[];
}

export interface Resident {
  /**
   * Gives every input but the changing ones and the draws its value; copies what will change. The state of a shared
   * place stays as it is.
   */
  start(values: readonly Numbers[]): void;
  /**
   * One run.
   * @param accept sees the outputs that are not state; when it says false, the state stays as it was
   * @returns the outputs that are not state
   */
  step(changing: readonly Numbers[], rng: Rng, accept?: (outputs: readonly Numbers[]) => boolean): readonly Numbers[];
  /** A copy of the state. */
  state(): Numbers[];
  dispose(): void;
}

export function createResident(traced: Program, options: ResidentOptions): Resident {
  const { provider, threads, state, changing } = options;
  const { graph } = traced;
  const model = traced.modelFor(provider);
  const first = model.outputs.length - state.length; // of the outputs that are state
  const inputNames = state.map((i) => model.inputs[i]!);
  const outputNames = model.outputs.slice(first);
  const specs = state.map((i) => graph.inputs[i]!);
  const place = options.place ?? createPlace(specs, provider);
  const handle = sessionFor(model, { provider, threads, onDevice: keepsOnDevice(provider) ? outputNames : [] });
  handle.pin();
  handle.session();
  const feeds: Record<string, RuntimeTensor> = {};
  const fixed: RuntimeTensor[] = [];
  const feed = (i: number, values: Numbers) => {
    const { shape, dtype } = graph.inputs[i]!;
    feeds[model.inputs[i]!] = hostTensor(values, shape, dtype);
  };
  const firstDraw = graph.inputs.length - traced.drawCount;
  return {
    start(values) {
      if (!options.place) place.put(state.map((i) => values[i]!));
      fixed.splice(0).forEach((tensor) => tensor.dispose());
      const rest = values.map((_, i) => i).filter((i) => !state.includes(i) && !changing.includes(i));
      const fixedSpecs = rest.map((i) => graph.inputs[i]!);
      if (!keepsOnDevice(provider) || rest.length === 0) rest.forEach((i) => feed(i, values[i]!));
      else
        fixed.push(
          ...upload(
            rest.map((i) => values[i]!),
            fixedSpecs,
            provider,
          ),
        );
      fixed.forEach((tensor, k) => (feeds[model.inputs[rest[k]!]!] = tensor));
    },
    step(values, rng, accept = () => true) {
      changing.forEach((i, k) => feed(i, values[k]!));
      traced.draws(rng).forEach((draw, k) => feed(firstDraw + k, draw));
      inputNames.forEach((name, k) => (feeds[name] = place.now()[k]!));
      const into: Record<string, RuntimeTensor | null> = {};
      model.outputs.forEach((name, i) => (into[name] = i < first ? null : place.next(i - first)));
      if (model.checks) into[model.checks.output] = null;
      const results = handle.session().run(feeds, into);
      const outputs = model.outputs.slice(0, first).map((name) => results[name]!.data);
      const made = outputNames.map((name) => results[name]!);
      try {
        if (model.checks) requireWithin(model.checks.list, results[model.checks.output]!.data);
      } catch (error) {
        place.refuse(made);
        throw error;
      }
      if (accept(outputs)) place.advance(made);
      else place.refuse(made);
      return outputs;
    },
    state: () => place.get(),
    dispose() {
      fixed.splice(0).forEach((tensor) => tensor.dispose());
      if (!options.place) place.dispose();
      handle.unpin();
    },
  };
}

/** Where the state lies. */
export interface Place {
  put(values: readonly Numbers[]): void;
  now(): readonly RuntimeTensor[];
  /** Where the k-th next value is to be written; null makes room. */
  next(k: number): RuntimeTensor | null;
  /** The run's results are the state from now on. */
  advance(made: readonly RuntimeTensor[]): void;
  /** The run's results are not wanted. */
  refuse(made: readonly RuntimeTensor[]): void;
  get(): Numbers[];
  dispose(): void;
}

/** Room for a state of these shapes: on the device where that can be, else in this process' memory. */
export function createPlace(specs: readonly Spec[], provider: Provider): Place {
  return keepsOnDevice(provider) ? onDevice(specs, provider) : onHost(specs);
}

function onHost(specs: readonly Spec[]): Place {
  const room = () => specs.map((spec) => hostTensor(zeros(spec), spec.shape, spec.dtype));
  let [current, other] = [room(), room()];
  return {
    put: (values) => values.forEach((value, k) => current[k]!.data.set(value)),
    now: () => current,
    next: (k) => other[k]!,
    advance: () => {
      [current, other] = [other, current];
    },
    refuse: () => undefined,
    get: () => current.map(({ data }) => data.slice()),
    dispose: () => undefined,
  };
}

function onDevice(specs: readonly Spec[], provider: Provider): Place {
  let current: readonly RuntimeTensor[] = [];
  const replace = (made: readonly RuntimeTensor[]) => {
    current.forEach((tensor) => tensor.dispose());
    current = made;
  };
  return {
    put: (values) => replace(upload(values, specs, provider)),
    now: () => current,
    next: () => null,
    advance: replace,
    refuse: (made) => made.forEach((tensor) => tensor.dispose()),
    get: () => download(current, specs, provider),
    dispose: () => replace([]),
  };
}

function zeros({ shape, dtype }: Spec): Numbers {
  const size = sizeOf(shape);
  if (dtype === 'float32') return new Float32Array(size);
  return dtype === 'bool' ? new Uint8Array(size) : new Int32Array(size);
}
