/** Weights on the device, between steps that happen there as a whole, where the provider can keep them. */
import type { Batch } from '../../core/model';
import { chooseProvider, mayStay } from '../devices/providers';
import { specOf } from '../graph/graph';
import { keepsOnDevice } from '../runtime/runtime';
import { threadsFor } from '../runtime/threads';
import { createDeviceSteps, deviceProgram, statePlaces, type DeviceObjective, type DeviceState } from './device-step';
import { batchOf, lossAndGradients, tensorsOf } from './gradient';
import { viewsOf } from './parameters';
import { memoryOf, type Kept, type Training } from './training';
import type { WeightsHome } from './weights-home';

/**
 * Undefined where this step of this objective belongs on the host.
 * @throws TraceError when the loss does what a graph cannot
 */
export function deviceWeights({ kept, options }: Training, objective: number, batch: Batch): WeightsHome | undefined {
  const device = options.engine === 'eager' ? 'cpu' : options.device;
  const objectives = kept.map(objectiveOf).filter((known) => known !== undefined);
  if (!mayStay(device) || objectives.length < kept.length) return undefined;
  const program = { objectives, ema: options.ema };
  const specs = tensorsOf(batch).map(specOf);
  const traced = deviceProgram(program, objective, specs);
  const { provider } = chooseProvider(device, traced, threadsFor(), statePlaces(program, specs));
  if (!keepsOnDevice(provider)) return undefined;

  const steps = createDeviceSteps(program, provider, threadsFor());
  let newest: 'host' | 'device' | 'both' = 'host';
  return {
    async step(at, given, rng, step) {
      if (newest === 'host') {
        steps.put(kept.map(stateOf));
        newest = 'both';
      }
      const made = steps.step(at, tensorsOf(given), rng, step);
      newest = 'device';
      return made;
    },
    engine: () => `compiled on ${provider}, where the weights stay`,
    fetch() {
      if (newest !== 'device') return;
      steps.get().forEach((from, i) => copy(from, stateOf(kept[i]!)));
      newest = 'both';
    },
    changed: () => {
      newest = 'host';
    },
    dispose: async () => steps.dispose(),
  };
}

/** Undefined for an optimiser whose step is no rule, which only its own code can make. */
function objectiveOf({ objective, optimiser: { rule } }: Kept): DeviceObjective | undefined {
  if (!rule) return undefined;
  return {
    rule,
    variables: objective.variables,
    memory: memoryOf(objective),
    gradient: (inputs, rng) => lossAndGradients(objective, batchOf(inputs), rng),
  };
}

/** The training's arrays themselves. */
function stateOf({ objective, weights, slots, average, memory }: Kept): DeviceState {
  return {
    ...{ slots, average },
    weights: viewsOf(weights, objective.variables),
    memory: viewsOf(memory, memoryOf(objective)),
  };
}

function copy(from: DeviceState, to: DeviceState): void {
  const arrays = ({ weights, slots, average, memory }: DeviceState) => [
    ...[...weights, ...slots, ...memory],
    ...(average ? [average] : []),
  ];
  const values = arrays(from);
  arrays(to).forEach((array, i) => array.set(values[i]!));
}
