/** Data whose entropy is known exactly: see `Source`. */
export { dequantisedSource, type Source } from './source';
export { barsAndStripes, isingSource, tableSource, type IsingOptions } from './table';
export { markovSource, muLaw, toneSource, type MarkovOptions, type ToneOptions } from './sequences';
export { circuitSource, grammarSource, type CircuitSourceOptions, type Grammar, type GrammarSource } from './trees';
export { planeShapes, planeSource, type PlaneComponent, type PlaneOptions, type PlaneShape } from './plane';
export { planeMixture, type PlaneMixture } from './plane-mixture';
export { linearWorld, ringWorld, type LatentWorld, type LinearWorld, type LinearWorldOptions } from './latent-worlds';
export { pinwheelSource, type PinwheelOptions, type PinwheelSource } from './pinwheel';
