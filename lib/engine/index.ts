/** The engine's one door: compiled functions, training steps, the devices they run on, and eager TensorFlow.js. */
export { compile, type Compiled, type CompileOptions } from './call/compile';
export {
  compiled,
  loop,
  type Body,
  type CompiledFunction,
  type FunctionOptions,
  type Loop,
} from './call/compiled-function';
export { availability, PROVIDERS, type Device } from './devices/providers';
export { supportedOperations, type Operation } from './onnx/kernels/index';
export { eagerBackends, startEager, useEager } from './runtime/eager-backend';
export { createSteppers, type Stepper, type Steppers, type StepState } from './step/step';
