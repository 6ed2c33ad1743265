/**
 * Answers that are the library's own function, where the exercise is to write that function. They are told apart by what
 * their code names, and earn nothing. This is no lock: it answers the question whether it counts, once and for all.
 */
import type { CheckReport } from './checking';
import type { Exercise } from './exercise';

/**
 * What of the library an answer uses that it was to write, if anything.
 * @param reads what its code names: `dgm.logBernoulli` by an import, `.logBernoulli` of any object
 */
export function borrowedBy({ library = [] }: Exercise, reads: readonly string[]): string | undefined {
  return library.find((name) => reads.includes(name) || reads.includes(name.slice(name.lastIndexOf('.'))));
}

/**
 * The same for a function that is here, by what it is and by its text.
 * @param packages what the first words of the names stand for: `dgm`, `tf`
 */
export function borrowedHere(
  { library = [] }: Exercise,
  solution: unknown,
  packages: Readonly<Record<string, object>>,
): string | undefined {
  return library.find((full) => {
    const [from, name] = full.split('.') as [string, string];
    const theirs = (packages[from] as Readonly<Record<string, unknown>> | undefined)?.[name];
    return solution === theirs || new RegExp(`\\.${name}\\b`).test(String(solution));
  });
}

/** What its author is told. */
export function borrowedCheck(name: string): CheckReport {
  return {
    name: 'is written here, and not taken from the library',
    status: 'failed',
    expected: 'a function of your own',
    got: name,
    hint: `${name} is what this exercise is to write; compare yours with it in another cell`,
  };
}
