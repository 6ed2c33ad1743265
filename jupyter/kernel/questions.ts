/** What is typed from habit of other notebooks, and is no TypeScript: questions are answered, commands explained. */

const NAME = String.raw`[\p{L}_$][\p{L}\p{N}_$]*(?:\.[\p{L}_$][\p{L}\p{N}_$]*)*`;
const BEFORE = new RegExp(`^\\?{1,2}\\s*(${NAME})$`, 'u');
const AFTER = new RegExp(`^(${NAME})\\s*\\?{1,2}$`, 'u');
const ALL = /^(\?|%whos?)$/;

/** A question about one name, or about all variables. */
export type Question = { readonly about: 'name'; readonly name: string } | { readonly about: 'variables' };

/** `?name`, `name?`, and `?` alone: no program of TypeScript reads like that. */
export function questionIn(source: string): Question | null {
  const text = source.trim();
  if (ALL.test(text)) return { about: 'variables' };
  const name = (BEFORE.exec(text) ?? AFTER.exec(text))?.[1];
  return name === undefined ? null : { about: 'name', name };
}

const PROGRAMS = 'ls|dir|cd|pwd|cat|mkdir|rm|cp|mv|npm|npx|pip|conda|git|node|python';
const SHELL = new RegExp(`^\\s*(?:!\\s*\\S|%|(?:${PROGRAMS})(?:\\s+[^=\\s(]|\\s*$))`);

const NO_SHELL =
  '  A cell is TypeScript, not a shell: type commands into a terminal, or let a cell run a program,\n' +
  "  import { execSync } from 'node:child_process'; console.log(execSync('…').toString());\n" +
  '  A cell with ? alone lists the variables, ?name says what is known of a name.';

/** For a cell that does not compile: what to say to who wrote a command. */
export function adviceOnCommands(source: string): string | null {
  return SHELL.test(source) ? NO_SHELL : null;
}
