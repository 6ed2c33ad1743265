/** What the kernel's tests share: reading outputs, and acting at the moment a cell says something. */
import { expect } from 'vitest';
import type { ErrorOutput, Execution, Kernel, Output } from 'dgm-jupyter';

/** All that a cell printed, stdout and stderr. */
export function printed({ outputs }: Execution): string {
  return outputs.map((output) => (output.output_type === 'stream' ? output.text : '')).join('');
}

/** The text of a cell's last expression. */
export function valueOf({ outputs }: Execution): unknown {
  const result = outputs.find((output) => output.output_type === 'execute_result');
  return result?.data['text/plain'];
}

/** The error of a cell that must have failed. */
export function errorOf({ status, outputs }: Execution): ErrorOutput {
  expect(status).toBe('error');
  return outputs.find((output): output is ErrorOutput => output.output_type === 'error')!;
}

/** The places in an error's trace, without indentation: `f (In[1]:3:9)`. */
export function framesOf(execution: Execution): string[] {
  return errorOf(execution).traceback.flatMap((line) => /^ {4}at (.*)$/.exec(line)?.slice(1) ?? []);
}

/** Runs a cell, which must say `ready`, and does something at that moment. A cell that goes on ends the kernel. */
export function executeAnd(kernel: Kernel, code: string, act: () => void): Promise<Execution> {
  let done = false;
  const onOutput = (output: Output) => {
    if (done || output.output_type !== 'stream' || !output.text.includes('ready')) return;
    done = true;
    act();
  };
  return kernel.execute(code, { onOutput, timeoutMs: 20_000 });
}
