/** What those who start the grader need of it: the benchmark, the desk, the doctor. A notebook's door is index.ts. */
export { buildFromFile } from '../authoring/notebooks';
export { course } from '../base/paths';
export { chapters } from '../chapters/registry';
export { createCompiler } from '../compile/service';
export { expectClose } from '../exercise/compare';
export type { Exercise } from '../exercise/exercise';
export { gradeFolder } from '../gradebook/grade-folder';
export { createPool } from '../grading/pool';
export type { SubmissionResult } from '../grading/result';
export { strongestTier } from '../sandbox/tier-probe';
export { findingsText, printFindings, type Finding } from './findings';
export { sandboxFindings } from './sandbox';
