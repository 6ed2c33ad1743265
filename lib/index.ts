/**
 * What a notebook cell imports: the names of the library, by rooms, in the order of the seven steps. A name is here
 * because a chapter uses it, or would reach for it beside one that it uses; and a type because a signature here names
 * it. Everything else stays in its room. Progress, hosts and figures as data have doors of their own (`dgm/host`,
 * `dgm/figures`), and so has the engine (`dgm/engine`).
 */
import { startEager } from './engine';
import { convolutionalAutoregressive, transformerAutoregressive } from './families/autoregressive';
import { circuit } from './families/circuit';
import { integerFlow } from './families/integer-flow';
import { nice, planarFlow, realNvp, splineFlow, sylvesterFlow } from './families/flow';
import { categoricalMixture, gaussianMixture } from './families/mixture';
import { gatedPixelCnn, maskedPixelCnn } from './families/pixelcnn';
import type { Family } from './core/model';

// What models are made of

export type {
  Batch,
  Card,
  CountingModel,
  Family,
  GenerativeModel,
  LatentModel,
  Likelihood,
  Objective,
  Remember,
  Rng,
  Support,
} from './core/model';
export { categorical, createRng, permutation, type KeyedRng } from './core/random';
export {
  detach,
  expectShape,
  logMeanExp,
  logSumExp,
  roundThrough,
  scalar,
  sumEvent,
  tidyAsync,
  withoutGradient,
  type Dimension,
} from './core/tensor';
export {
  klCategorical,
  klNormal,
  LOG_2PI,
  logBernoulli,
  logCategorical,
  logDiscretisedLogistic,
  logInterval,
  logLattice,
  logLogistic,
  logNormal,
  oneHotValues,
} from './core/distributions';
export { batches, take, type OwnedBatch } from './core/batches';
export { getWeights, loadWeights, saveWeights, setWeights, variablesOf, type Weight } from './core/weights';

// Data: sets, and sources of known entropy

export { datasets, load, type Dataset, type Labelled } from './data/datasets';
export {
  circuitSource,
  dequantisedSource,
  grammarSource,
  isingSource,
  markovSource,
  muLaw,
  planeShapes,
  planeSource,
  tableSource,
  toneSource,
  type CircuitSourceOptions,
  type Grammar,
  type GrammarSource,
  type IsingOptions,
  type MarkovOptions,
  type PlaneComponent,
  type PlaneOptions,
  type PlaneShape,
  type Source,
  type ToneOptions,
} from './data/sources';

// Networks (step 2), circuits and bijections

export {
  causalConv1d,
  constantWeight,
  embedding,
  gate,
  gelu,
  layerNorm,
  leakyRelu,
  linear,
  mlp,
  randomWeight,
  sequential,
  uniformWeight,
  weight,
  type Activation,
  type CausalConvOptions,
  type MlpOptions,
  type Network,
} from './networks/dense';
export {
  causalAttention,
  causalResidual,
  causalSequential,
  dilatedConv1d,
  rowwise,
  transformerBlock,
  type CausalNetwork,
  type DilatedConvOptions,
  type Stepped,
} from './networks/causal';
export {
  gatedPixelStack,
  maskedConv2d,
  maskedPixelStack,
  type MaskedConvOptions,
  type PixelStackOptions,
} from './networks/pixels';
export {
  chowLiuTree,
  maximumSpanningTree,
  mutualInformation,
  type ChowLiuOptions,
  type Tree,
} from './circuits/chow-liu';
export {
  checkCircuit,
  checkStructure,
  evaluateCircuit,
  hiddenTree,
  imageHalves,
  randomCircuit,
  randomHalves,
  type Circuit,
  type CircuitNode,
  type NodeFacts,
  type RandomHalvesOptions,
  type Structure,
  type Tables,
} from './circuits/structure';
export {
  additive,
  affine,
  linearSpline,
  rationalQuadraticSpline,
  type Latent,
  type Transform,
} from './bijections/scalar';
export {
  bases,
  chain,
  checkerboard,
  coarseToFine,
  coupling,
  couplingNetwork,
  elementwise,
  logit,
  others,
  permutationOf,
  reversal,
  standardise,
  type Base,
  type Bijection,
  type CouplingOptions,
} from './bijections/layers';
export {
  convolutionExponential,
  householder,
  invertibleDirection,
  orthonormal,
  planar,
  sylvester,
  type Orthogonality,
} from './bijections/matrix';
export {
  dequantise,
  dequantised,
  learntNoise,
  uniformNoise,
  type DequantisedOptions,
  type Noise,
  type NoiseDraw,
} from './bijections/dequantisation';

// Families (steps 1 and 3)

export {
  convolutionalAutoregressive,
  transformerAutoregressive,
  type ConvolutionalConfig,
  type TransformerConfig,
} from './families/autoregressive';
export { circuit, type CircuitConfig, type CircuitFamily, type CircuitModel } from './families/circuit';
export {
  nice,
  planarFlow,
  realNvp,
  splineFlow,
  sylvesterFlow,
  type CouplingFlowConfig,
  type FlowConfig,
  type FlowFamily,
  type FlowModel,
  type SplineFlowConfig,
  type SylvesterFlowConfig,
} from './families/flow';
export {
  integerFlow,
  type IntegerFlowConfig,
  type IntegerFlowFamily,
  type IntegerFlowModel,
  type IntegerStep,
} from './families/integer-flow';
export {
  categoricalMixture,
  gaussianMixture,
  logCategoricalComponents,
  logNormalComponents,
  type CategoricalMixtureConfig,
  type GaussianMixtureConfig,
  type MixtureFamily,
  type MixtureModel,
} from './families/mixture';
export { gatedPixelCnn, maskedPixelCnn, type PixelCnnConfig } from './families/pixelcnn';

// Optimisers and training (steps 4 and 5)

export {
  adam,
  adamax,
  adamW,
  sgd,
  type AdamOptions,
  type Clipping,
  type LearningRate,
  type Optimiser,
  type Rule,
  type RuleNumbers,
} from './optimisers/optimisers';
export { schedules, type Schedule } from './optimisers/schedules';
export { fit, type EpochListener, type FitOptions, type FitResult } from './training/fit';
export { em, type EmOptions, type EmResult } from './training/em';
export type { Best, Epoch, TrainingData } from './training/loop';
export { loadCheckpoint, saveCheckpoint, type Checkpoint } from './training/checkpoint';

// Evaluation, and truth by brute force (step 6)

export {
  bitsPerDim,
  evaluate,
  importanceBound,
  sweep,
  type EvaluateOptions,
  type Evaluation,
  type SweepResult,
} from './evaluation/evaluation';
export {
  calibrationTest,
  chiSquare,
  enumerate,
  integrate,
  ksTest,
  logAbsDet,
  normalCdf,
  numericalGradient,
  numericalJacobian,
  totalProbability,
  twoSampleTest,
  type Interval,
  type LogProb,
  type TestResult,
} from './statistics/oracles';
export { reliability, roc, type Reliability, type ReliabilityBin, type Roc } from './statistics/classification';

// Sampling (step 7)

export {
  ancestral,
  natsPerValue,
  type AncestralSampler,
  type AutoregressiveConfig,
  type AutoregressiveFamily,
  type AutoregressiveModel,
  type StepLogits,
} from './sampling/ancestral';

// Comparison

export { chowLiuBaseline, classHistogramBaseline, histogramBaseline, uniformBaseline } from './comparison/baselines';
export { baselines, rungsOf, type LadderModel, type LadderRung } from './comparison/ladder';

// What a cell shows, and what is around it

export { card, table, type Frame, type Row, type TableOptions } from './figures/table';
export {
  figure,
  type AnimationFrame,
  type Axis,
  type FigureOptions,
  type FigureSpec,
  type Layout,
  type Trace,
} from './figures/figure';
export {
  density2d,
  imageGrid,
  ladder,
  lossCurve,
  type DensityGrid,
  type ImageGridOptions,
  type LossOptions,
  type Rung,
  type Training,
} from './figures/training-charts';
export { liveLoss, type LiveFigure } from './figures/live-loss';
export { calibrationPlot, rocPlot, type Answers } from './figures/judging-charts';
export {
  latentMap,
  scoreField,
  trajectories,
  type LatentMapOptions,
  type Points,
  type ScoreFieldOptions,
  type TrajectoryOptions,
  type VectorField,
} from './figures/plane-charts';
export type { ChartOptions } from './figures/chart';
export { display, host, type Host, type MimeBundle } from './host/host';
export { budgeted, fullBudget } from './host/budget';

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
