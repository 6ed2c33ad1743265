/** How the grading of a submission, or of one exercise in it, ended. */
export const statuses = [
  /** Judged by the checks, with whatever points that gave. */
  'graded',
  /** Syntax or type errors in the cells the exercise needs. */
  'compile_error',
  /** No function of the exercise's name. */
  'missing_export',
  /** A call, the loading, the type check or the submission as a whole took too long. */
  'timeout',
  'out_of_memory',
  /** Ended its own process, or threw while its cells were loading. */
  'died',
  /** Printed more than the limit. */
  'output_limit',
  /** Answered something that is no answer. */
  'protocol',
  /** No notebook, or not one of a known chapter. */
  'unreadable',
  /** Our fault and not the student's: never a mark, and worth another attempt. */
  'infra_error',
] as const;

export type Status = (typeof statuses)[number];

/** What ends the process that runs a submission. */
export type FaultStatus = Exclude<Status, 'graded' | 'compile_error' | 'missing_export' | 'unreadable'>;

/** The process that ran the submission is gone, and why. */
export class Fault extends Error {
  constructor(
    readonly status: FaultStatus,
    message: string,
  ) {
    super(message);
    this.name = 'Fault';
  }
}
