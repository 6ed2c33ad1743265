import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const room = (path: string) => resolve(import.meta.dirname, path);

/** Minutes each: begun last, one of them would run on alone. */
const LONGEST = ['chapters', 'hostile', 'adding-a-family', 'app/desk/desk', 'grader/selftest/selftest'];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification) => LONGEST.some((name) => moduleId.endsWith(`/${name}.test.ts`));
    const sorted = await super.sort(files);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

// The tests read the sources, so that a failure points at the line one edits; what starts another process
// (kernel, grader) uses the build, as users do.
export default defineConfig({
  resolve: {
    alias: [
      { find: /^dgm$/, replacement: room('lib/index.ts') },
      { find: /^dgm\/(engine|host|figures)$/, replacement: room('lib/$1/index.ts') },
      { find: /^dgm-jupyter$/, replacement: room('jupyter/index.ts') },
      { find: /^grader$/, replacement: room('grader/index.ts') },
      { find: /^grader\/commands$/, replacement: room('grader/commands/index.ts') },
      { find: /^grader\/progress$/, replacement: room('grader/student/progress.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    env: {
      DGM_PROGRESS: join(tmpdir(), `dgm-progress-${process.pid}.json`), // what the tests try is no student's try
      DGM_EAGER: 'cpu', // the reference, whatever is installed
    },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
  },
});
