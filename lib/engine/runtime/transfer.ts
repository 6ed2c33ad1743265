/**
 * Moving values to the device and back: a graph of identities whose outputs lie on the other side. The runtime's own
 * `Tensor.getData` is not there for a device tensor in Node (1.30 aborts the process).
 */
import type { Spec } from '../graph/graph';
import { OnnxBuilder } from '../onnx/onnx';
import { hostTensor, type Numbers, type Provider, type RuntimeTensor, type Session } from './runtime';
import { sessionFor } from './session-cache';

/** Copies numbers to the device. The caller disposes the tensors. */
export function upload(values: readonly Numbers[], specs: readonly Spec[], provider: Provider): RuntimeTensor[] {
  const session = mover(specs, provider, true);
  return move(
    session,
    values.map((v, i) => hostTensor(v, specs[i]!.shape, specs[i]!.dtype)),
  );
}

/** Copies tensors from the device. */
export function download(tensors: readonly RuntimeTensor[], specs: readonly Spec[], provider: Provider): Numbers[] {
  const session = mover(specs, provider, false);
  return move(session, tensors).map(({ data }) => data);
}

function mover(specs: readonly Spec[], provider: Provider, up: boolean): Session {
  const b = new OnnxBuilder();
  const inputs = specs.map((spec, i) => ({ ...spec, name: `in${i}` }));
  const outputs = specs.map((spec, i) => ({ ...spec, name: `out${i}`, value: `in${i}` }));
  const model = { bytes: b.model(inputs, outputs), memory: 0 };
  const onDevice = up ? outputs.map(({ name }) => name) : [];
  return sessionFor(model, { provider, threads: 1, onDevice }).session();
}

function move(session: Session, tensors: readonly RuntimeTensor[]): RuntimeTensor[] {
  const feeds = Object.fromEntries(tensors.map((tensor, i) => [`in${i}`, tensor]));
  const fetches = Object.fromEntries(tensors.map((_, i) => [`out${i}`, null]));
  const results = session.run(feeds, fetches);
  return tensors.map((_, i) => results[`out${i}`]!);
}
