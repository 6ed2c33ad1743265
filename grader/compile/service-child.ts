/** The process of the compile service: answers one request after the other. */
import { createCompile } from './compile';
import type { SourceCell } from './pieces';

export interface CompileRequest {
  readonly id: number;
  readonly cells: readonly SourceCell[];
  readonly functions: readonly string[];
}

const compile = createCompile();

process.on('message', ({ id, cells, functions }: CompileRequest) => {
  try {
    process.send!({ id, compilation: compile(cells, functions) });
  } catch (error) {
    // sources nested thousands deep overflow the compiler's stack
    process.send!({ id, error: error instanceof Error ? error.message : String(error) });
  }
});

// the parent is gone: so is the work
process.on('disconnect', () => process.exit());
