/** The public surface of the library: what a notebook cell imports. */
import { startEager } from './engine/eager';
import { convolutionalAutoregressive, transformerAutoregressive } from './families/autoregressive';
import { circuit } from './families/circuit';
import { integerFlow } from './families/integer-flow';
import { nice, planarFlow, realNvp, splineFlow, sylvesterFlow } from './families/flow';
import { categoricalMixture, gaussianMixture } from './families/mixture';
import { gatedPixelCnn, maskedPixelCnn } from './families/pixelcnn';
import type { Family } from './model';

export * from './ancestral';
export * from './baselines';
export * from './bijections';
export { budgeted, fullBudget } from './budget';
export * from './causal-networks';
export * from './chow-liu';
export * from './circuits';
export * from './classification';
export * from './data';
export * from './dequantisation';
export * from './distributions';
export * from './em';
export * from './evaluation';
export * from './host';
export * from './ladder';
export * from './matrix-bijections';
export * from './model';
export * from './networks';
export * from './optimisers';
export * from './oracles';
export * from './pixel-networks';
export * from './progress';
export * from './random';
export * from './schedules';
export * from './sources';
export * from './tensor';
export * from './training';
export * from './transforms';
export * from './weights';
export * from './families/autoregressive';
export * from './families/circuit';
export * from './families/flow';
export * from './families/integer-flow';
export * from './families/mixture';
export * from './families/pixelcnn';
export type { ChartOptions } from './jupyter/chart';
export type { DensityGrid, ImageGridOptions, LossOptions, Rung, Training } from './jupyter/charts';
export { density2d, imageGrid, ladder, lossCurve } from './jupyter/charts';
export * from './jupyter/figure';
export * from './jupyter/judging-charts';
export { liveLoss } from './jupyter/live-loss';
export * from './jupyter/plane-charts';
export * from './jupyter/table';
export { batches, take } from './batches';

/** Every family, for the law suite and for comparisons. A new family adds its line here. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- configurations differ, and only `create` sees one
export const families: readonly Family<any>[] = [
  gaussianMixture,
  categoricalMixture,
  circuit,
  convolutionalAutoregressive,
  transformerAutoregressive,
  maskedPixelCnn,
  gatedPixelCnn,
  nice,
  realNvp,
  splineFlow,
  planarFlow,
  sylvesterFlow,
  integerFlow,
];

startEager();
