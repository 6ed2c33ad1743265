/** A process that tests chapters for at-once.ts, one after another, with a compiler of its own. */
import * as tf from '@tensorflow/tfjs';
import { createCompiler } from '../compile/service';
import { chapters, findChapter } from '../chapters/registry';
import { course } from '../base/paths';
import { testChapter, type ChapterReport } from './selftest';

export type FromChild = { readonly report: ChapterReport } | { readonly failure: string };

// else tfjs greets whoever tests
tf.enableProdMode();

const compiler = createCompiler();

process.on('message', (name: string) => {
  testChapter(findChapter(name, chapters), course, compiler).then(
    (report) => answer({ report }),
    (error: unknown) => answer({ failure: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});
process.on('disconnect', () => compiler.close());

function answer(message: FromChild): void {
  process.send!(message);
}
