/**
 * Where a training's weights and optimiser state live between steps: on the host, in arrays that optimisers move in
 * place, or on the device, where the provider can keep them. Which it is, is measured at the first step.
 */
import type { Batch, Objective, Rng } from '../../core/model';
import type { Optimiser } from '../../optimisers/optimisers';
import { createDeviceSteps, deviceProgram, statePlaces, type DeviceOptions, type DeviceSteps } from './device-step';
import { batchOf, lossAndGradients, tensorsOf } from './gradient';
import { specOf } from '../graph/graph';
import { viewsOf } from './parameters';
import { chooseProvider, mayStay, type Device } from '../devices/providers';
import { keepsOnDevice, type Provider } from '../runtime/runtime';
import { threadsFor } from '../runtime/threads';
import { TraceError } from '../trace/trace';

/** What a training keeps of one objective, on the host. */
export interface Kept {
  readonly weights: Float32Array;
  readonly slots: readonly Float32Array[];
  readonly average: Float32Array | undefined;
}

export interface Residence {
  /**
   * One step on the device; undefined when steps belong on the host.
   * @param objective its place in the list @param step counts from 1
   */
  step(
    objective: number,
    batch: Batch,
    rng: Rng,
    step: number,
  ): { readonly loss: number; readonly norm: number } | undefined;
  /** What the steps run on; undefined when they belong on the host, or before the first. */
  provider(): Provider | undefined;
  /** Brings the host's arrays up to date. */
  fetch(): void;
  /** Somebody has set the host's arrays; they have been fetched before. */
  changed(): void;
  dispose(): void;
}

/** Steps on the host only. */
const AT_HOME: Residence = {
  step: () => undefined,
  provider: () => undefined,
  fetch: () => undefined,
  changed: () => undefined,
  dispose: () => undefined,
};

export function createResidence(
  objectives: readonly Objective[],
  kept: readonly Kept[],
  { rule }: Optimiser,
  ema: number | undefined,
  device: Device | undefined,
): Residence {
  if (!rule || !mayStay(device)) return AT_HOME;
  const options: DeviceOptions = {
    objectives: objectives.map((objective) => ({
      variables: objective.variables,
      gradient: (inputs, rng) => lossAndGradients(objective, batchOf(inputs), rng),
    })),
    rule,
    ema,
  };
  let away: DeviceSteps | undefined;
  let provider: Provider | undefined;
  let settled = false;
  let newest: 'host' | 'device' | 'both' = 'host';

  /** Measures where the steps belong. */
  function settle(objective: number, batch: Batch): void {
    settled = true;
    const specs = tensorsOf(batch).map(specOf);
    const traced = deviceProgram(options, objective, specs);
    const choice = chooseProvider(device, traced, threadsFor(), statePlaces(traced, specs));
    if (!keepsOnDevice(choice.provider)) return;
    provider = choice.provider;
    away = createDeviceSteps(options, provider, threadsFor());
  }

  const residence: Residence = {
    step(objective, batch, rng, step) {
      try {
        if (!settled) settle(objective, batch);
        if (away && newest === 'host') put(away);
        const result = away?.step(objective, tensorsOf(batch), rng, step);
        if (result) newest = 'device';
        return result;
      } catch (error) {
        if (!(error instanceof TraceError)) throw error;
        residence.fetch();
        residence.dispose();
        provider = undefined;
        return undefined; // the host meets the same error, and says so
      }
    },
    provider: () => provider,
    fetch() {
      if (!away || newest !== 'device') return;
      away.get().forEach(({ weights, slots, average }, i) => {
        const own = kept[i]!;
        viewsOf(own.weights, objectives[i]!.variables).forEach((view, k) => view.set(weights[k]!));
        own.slots.forEach((slot, k) => slot.set(slots[k]!));
        own.average?.set(average!);
      });
      newest = 'both';
    },
    changed: () => {
      newest = 'host';
    },
    dispose() {
      away?.dispose();
      away = undefined;
    },
  };

  function put(steps: DeviceSteps): void {
    const parts = ({ weights }: Kept, i: number) => viewsOf(weights, objectives[i]!.variables);
    steps.put(kept.map((own, i) => ({ weights: parts(own, i), slots: own.slots, average: own.average })));
    newest = 'both';
  }
  return residence;
}
