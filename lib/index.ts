/**
 * What a notebook cell imports: the names of the library, by rooms, in the order of the seven steps. A name is here
 * because a chapter uses it, or would reach for it beside one that it uses; and a type because a signature here names
 * it. Everything else stays in its room. Progress, hosts and figures as data have doors of their own (`dgm/host`,
 * `dgm/figures`), and so has the engine (`dgm/engine`).
 */
import { startEager } from './engine';

// What models are made of

export type {
  Batch,
  Bijection,
  Card,
  CountingModel,
  Family,
  GenerativeModel,
  Latent,
  LatentModel,
  Likelihood,
  Objective,
  Remember,
  Rng,
  SampleOptions,
  Sampler,
  Support,
  Tiny,
} from './core/model';
export { negativeLogLikelihood } from './core/objective';
export { categorical, createRng, permutation, type KeyedRng } from './core/random';
export {
  detach,
  eventRows,
  expectShape,
  logMeanExp,
  logSumExp,
  roundThrough,
  scalar,
  sizeOf,
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
  logBoundedLogistic,
  logCategorical,
  logCategoricalComponents,
  logDiscretisedLogistic,
  logIntegers,
  logInterval,
  logLattice,
  logLogistic,
  logNormal,
  logNormalComponents,
  oneHotValues,
} from './core/distributions';
export {
  drawDirections,
  drawVonMisesFisher,
  klVonMisesFisher,
  logSphereArea,
  logVonMisesFisher,
  meanResultantLength,
  type DirectionDraw,
} from './core/von-mises-fisher';
export { batches, take, type OwnedBatch } from './core/batches';
export { logOfLabels, UNLABELLED, type LabelledModel } from './core/labels';
export { getWeights, loadWeights, saveWeights, setWeights, variablesOf, type Weight } from './core/weights';

// Data: sets, and sources of known entropy

export { datasets, load, type Dataset, type Labelled } from './data/datasets';
export { letterPictures } from './data/letters';
export {
  barsAndStripes,
  circuitSource,
  dequantisedSource,
  grammarSource,
  isingSource,
  linearWorld,
  markovSource,
  muLaw,
  pinwheelSource,
  planeMixture,
  planeShapes,
  planeSource,
  ringWorld,
  tableSource,
  toneSource,
  type CircuitSourceOptions,
  type Grammar,
  type GrammarSource,
  type IsingOptions,
  type LatentWorld,
  type LinearWorld,
  type LinearWorldOptions,
  type MarkovOptions,
  type PinwheelOptions,
  type PinwheelSource,
  type PlaneComponent,
  type PlaneMixture,
  type PlaneOptions,
  type PlaneShape,
  type Source,
  type ToneOptions,
} from './data/sources';

// Networks (step 2), circuits and bijections

export {
  causalConv1d,
  constantWeight,
  dropout,
  embedding,
  gate,
  gelu,
  layerNorm,
  leakyRelu,
  linear,
  mlp,
  randomWeight,
  sequential,
  swish,
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
  gatedConvolutions,
  rowwise,
  transformerBlock,
  type CausalNetwork,
  type DilatedConvOptions,
  type GatedConvolutionsOptions,
  type Stepped,
} from './networks/causal';
export { gru } from './networks/recurrent';
export {
  conv2d,
  positions,
  residual,
  residualStack,
  type ConvOptions,
  type ResidualOptions,
} from './networks/convolutions';
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
  tailedSpline,
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
  type CouplingOptions,
} from './bijections/layers';
export {
  additiveCouplings,
  affineCouplings,
  splineCouplings,
  tailedSplineCouplings,
  type AffineCouplingsOptions,
  type CouplingsOptions,
  type Mixing,
  type SplineCouplingsOptions,
} from './bijections/stacks';
export type { DomainOptions } from './bijections/density';
export type { IntegersInTraining, LatticeFlow, LatticeFlowOptions } from './bijections/lattice-flow';
export { integerSteps, type IntegerBijection, type IntegerStep } from './bijections/integer';
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

// Latent variables: priors, posteriors, decoders, and the bound

export { autoregressiveDecoder, factorised, type ConditionalLogits, type FactorisedOptions } from './latents/decoders';
export {
  aggregatePosterior,
  takenApart,
  type AggregatePosterior,
  type BoundParts,
  type TakenApart,
} from './latents/aggregate';
export {
  posteriorOf,
  priorOf,
  type FlowPriorOptions,
  type PosteriorOptions,
  type PriorOptions,
  type PriorPlace,
} from './latents/choices';
export { circleGrid, exactLogProb, normalGrid, priorGrid, type LatentGrid } from './latents/exact';
export { gaussianPosterior, standardNormal, type GaussianPosteriorOptions } from './latents/gaussian';
export {
  bottomUp,
  hierarchicalModel,
  klResidual,
  topDown,
  type Gaussian,
  type HierarchicalModel,
  type HierarchyOptions,
  type HierarchyParts,
  type HierarchyTerms,
  type Inference,
  type Level,
  type LevelDraws,
  type Residual,
  type ResidualNetwork,
} from './latents/hierarchy';
export { pictureLevels, pictureReader, type LevelSize, type PictureLevelsOptions } from './latents/picture-levels';
export {
  convolutionalDecoderNetwork,
  convolutionalEncoder,
  denseDecoderNetwork,
  denseEncoder,
  pictureFeatures,
  type DenseDecoderOptions,
  type DenseOptions,
  type EventOptions,
  type NoiseRates,
  type PictureOptions,
} from './latents/networks';
export {
  bernoulli,
  categoricalValues,
  discretisedLogistic,
  gaussianValues,
  type GaussianValuesOptions,
  type Observation,
  type ObservationName,
} from './latents/observations';
export {
  householderFlow,
  inverseAutoregressiveFlow,
  splineFlowOfLatents,
  sylvesterFlowOfLatents,
  type AutoregressiveFlowOptions,
  type SplineFlowOfLatentsOptions,
} from './latents/latent-flows';
export { flowPosterior, type LatentFlow } from './latents/posteriors';
export {
  autoregressivePrior,
  flowPrior,
  mixturePrior,
  pseudoInputs,
  resampledPrior,
  vampPrior,
  type AutoregressivePriorOptions,
  type PseudoInputs,
  type PseudoInputsOptions,
  type ResampledOptions,
  type ResampledPrior,
} from './latents/priors';
export type { DecodeOptions, Decoder, LatentDraw, Posterior, Prior, VariationalParts } from './latents/parts';
export { refine, type RefineOptions } from './latents/refine';
export { decoderOf, inferenceModel, type InferenceOptions, type KnownWorld } from './latents/worlds';
export { uniformSphere, vonMisesFisherPosterior } from './latents/sphere';
export { variationalModel, type BoundOptions, type BoundTerms, type VariationalModel } from './latents/variational';

// Diffusion: noise and its schedules, times, orders

export {
  exactPairs,
  pathWeights,
  type Denoiser,
  type DiffusionTerms,
  type GaussianDiffusion,
  type Guess,
  type PlaneGrid,
} from './diffusion/gaussian-diffusion';
export {
  alphaOf,
  boundWeight,
  diffuse,
  guessOf,
  reverseStep,
  sigmaOf,
  stepDown,
  type GaussianStep,
  type Parametrisation,
  type StepDown,
} from './diffusion/gaussian-noise';
export type { DiffusionSampleOptions } from './diffusion/gaussian-sampler';
export {
  noiseSchedule,
  type NoiseRange,
  type NoiseSchedule,
  type NoiseScheduleName,
} from './diffusion/noise-schedules';
export { exactAnyOrder, placesOf, randomOrders, type AnyOrder } from './diffusion/orders';
export {
  importanceTimes,
  independentTimes,
  stratifiedTimes,
  type ImportanceTimes,
  type TimesName,
  type WeightedTimes,
} from './diffusion/times';

// Scores and flows: differential equations, divergences, Langevin dynamics

export {
  continuousFlow,
  type ContinuousFlow,
  type DivergenceName,
  type FlowParts,
  type FlowRun,
  type Measured,
  type Tolerance,
} from './diffusion/continuous-flow';
export { directional, divergence, hutchinson, rademacher, type PointField } from './diffusion/divergence';
export type { DataCoordinates, FlowData } from './diffusion/flow-model';
export {
  annealedLangevin,
  langevin,
  langevinStep,
  type AnnealedOptions,
  type LangevinOptions,
} from './diffusion/langevin';
export { noiseProcess, type NoiseProcess, type ProcessName, type SigmaRange } from './diffusion/noise-process';
export {
  adaptiveSolver,
  evaluationsPerStep,
  fixedSolver,
  solverStep,
  type AdaptiveName,
  type AdaptiveOptions,
  type AdaptiveResult,
  type AdaptiveSolver,
  type AdaptiveSpan,
  type Field,
  type FixedSolver,
  type FixedSpan,
  type SolverName,
} from './diffusion/ode';
export { pairByTransport, squaredDistances, transportPlan, type TransportOptions } from './diffusion/pairings';
export { denoisingScoreMatching, exactScoreMatching, slicedScoreMatching } from './diffusion/score-matching';
export {
  reverseSdeStep,
  type ReverseSdeStep,
  type ScoreSampleOptions,
  type ScoreSamplerName,
} from './diffusion/score-sampler';
export type { TimedOptions } from './diffusion/timed-networks';

// Energies: chains, ln Z, losses that need no Z

export {
  adjustedLangevin,
  adjustedLangevinStep,
  energyAndScore,
  type AdjustedOptions,
  type ChainState,
  type NegEnergy,
} from './energies/adjusted-langevin';
export {
  annealing,
  logMeanWeight,
  normalised,
  type AnnealedLogZ,
  type AnnealingOptions,
  type AnnealingPath,
} from './energies/annealing';
export { binaryStates, flip } from './energies/binary';
export { contrast, noiseContrast } from './energies/contrasts';
export type { EnergyNetworkOptions } from './energies/networks';
export type { ChainOptions, SamplerChain, Tilted, TiltedData } from './energies/tilted';

// Adversaries: games, penalties, critics

export { games, optimalCritic, type Game, type GameName } from './adversarial/games';
export { gradientPenalty, interpolates, squaredSlope, zeroCentred, type Critic } from './adversarial/penalties';
export { criticNetwork, spectralNorm, type CriticNetworkOptions } from './adversarial/spectral';

// Families (steps 1 and 3)

export * from './families';
export { families, type AnyFamily } from './families/list';

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
  type TwoSampleOptions,
} from './statistics/oracles';
export {
  modeCoverage,
  precisionRecall,
  wasserstein1d,
  type ModeCoverage,
  type PrecisionRecall,
  type SamplePoints,
} from './statistics/samples';
export { reliability, roc, type Reliability, type ReliabilityBin, type Roc } from './statistics/classification';

// Sampling (step 7)

export {
  ancestral,
  natsPerValue,
  type AncestralOptions,
  type AutoregressiveConfig,
  type AutoregressiveFamily,
  type AutoregressiveModel,
  type Loops,
  type StepLogits,
} from './sampling/ancestral';
export {
  sampler,
  type Asked,
  type Engine,
  type EngineSampler,
  type SamplerSettings,
  type Takes,
} from './sampling/sampler';

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
export { lossCurve, type LossOptions, type Training } from './figures/loss-chart';
export { imageGrid, type ImageGridOptions } from './figures/image-grid';
export { ladder, type Rung } from './figures/ladder';
export { density2d, type DensityGrid } from './figures/density';
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

startEager();
