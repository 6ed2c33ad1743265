/** The command line of what npm starts: typed options, help, the closest name for a wrong one, one way to end. */
import { parseArgs } from 'node:util';
import { didYouMean } from 'dgm/host';

/** An option, and how the text after it becomes its value. */
export interface Option<T> {
  readonly type: 'boolean' | 'string';
  /** @throws when the text makes no sense: expected and got */
  read(text: string, name: string): T;
  /** The value of an option that stands alone; without it, one that stands alone is a mistake. */
  readonly alone?: string;
}

export type Options = Readonly<Record<string, Option<unknown>>>;
type Values<O extends Options> = { readonly [K in keyof O]?: O[K] extends Option<infer T> ? T : never };

export interface Command<O extends Options> {
  /** What `--help` prints. */
  readonly help: string;
  readonly options: O;
  /** What words without a dash name, and how many there may be; by default none. */
  readonly positionals?: { readonly name: string; readonly most: number };
}

export interface CommandLine<O extends Options> {
  readonly options: Values<O>;
  readonly positionals: readonly string[];
}

// Kinds of options

export const flag: Option<boolean> = { type: 'boolean', read: () => true };
export const text: Option<string> = { type: 'string', read: (value) => value };

export function integer(from: number, to = Infinity): Option<number> {
  const range = to === Infinity ? `≥ ${from}` : `from ${from} to ${to}`;
  return {
    type: 'string',
    read(value, name) {
      const number = Number(value);
      if (/^\d+$/.test(value) && number >= from && number <= to) return number;
      throw new Error(`${name} must be an integer ${range}, got "${value}"`);
    },
  };
}

export const positive: Option<number> = {
  type: 'string',
  read(value, name) {
    const number = Number(value);
    if (number > 0 && Number.isFinite(number)) return number;
    throw new Error(`${name} must be a number > 0, got "${value}"`);
  },
};

export function oneOf<T extends string>(names: readonly T[]): Option<T> {
  return {
    type: 'string',
    read(value, name) {
      const found = names.find((one) => one === value);
      if (found !== undefined) return found;
      throw new Error(`${name}: there is no "${value}"; there are ${names.join(', ')}${didYouMean(value, names)}`);
    },
  };
}

/** Several values with commas between them. */
export function listOf<T>(one: Option<T>): Option<readonly T[]> {
  return { type: 'string', read: (value, name) => value.split(',').map((part) => one.read(part.trim(), name)) };
}

// Reading

/** @throws when an option does not exist, or has no value or a wrong one */
export function readCommandLine<O extends Options>(
  command: Command<O>,
  args: readonly string[],
): CommandLine<O> | 'help' {
  const known: Options = { ...command.options, help: flag };
  const types = Object.fromEntries(Object.entries(known).map(([name, { type }]) => [name, { type }]));
  const { tokens } = parseArgs({
    args: args.map((arg, i) => completed(arg, args[i + 1], known)),
    options: { ...types, help: { type: 'boolean', short: 'h' } },
    strict: false, // what is wrong is said here, with the closest name
    allowPositionals: true,
    tokens: true,
  });
  const options: Record<string, unknown> = {};
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind === 'option') options[token.name] = valueOf(token, known);
  }
  if (options['help']) return 'help';
  checkPositionals(positionals, command.positionals);
  return { options: options as Values<O>, positionals };
}

interface OptionToken {
  readonly name: string;
  /** With its dashes. */
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

function valueOf({ name, rawName, value, inlineValue }: OptionToken, known: Options): unknown {
  const option = Object.hasOwn(known, name) ? known[name] : undefined;
  if (!option) {
    const names = Object.keys(known).map((one) => `--${one}`);
    throw new Error(`unknown option ${rawName}${didYouMean(rawName, names) || `; there are ${names.join(', ')}`}`);
  }
  if (option.type === 'boolean' && value !== undefined) throw new Error(`${rawName} takes no value, got "${value}"`);
  const isMissing = value === undefined || (!inlineValue && value.startsWith('--'));
  if (option.type === 'string' && isMissing) throw new Error(`${rawName} needs a value`);
  return option.read(value ?? '', rawName);
}

/** An option that may stand alone, with the value that it then has. */
function completed(arg: string, next: string | undefined, known: Options): string {
  const name = arg.slice(2);
  const alone = arg.startsWith('--') && Object.hasOwn(known, name) ? known[name]!.alone : undefined;
  return alone !== undefined && (next ?? '--').startsWith('--') ? `${arg}=${alone}` : arg;
}

function checkPositionals(positionals: readonly string[], { name, most } = { name: '', most: 0 }): void {
  if (positionals.length <= most) return;
  if (most === 0) throw new Error(`got ${positionals.join(', ')}, which is no option; options begin with --`);
  throw new Error(`one ${name} at a time, got ${positionals.join(', ')}`);
}

// Running

/**
 * Runs a command when its module is the one that Node was started with. An error is one text on stderr and exit
 * status 1; so is `false`, whose reason was told already.
 */
export function runCommand<O extends Options>(
  module: NodeJS.Module,
  command: Command<O>,
  act: (line: CommandLine<O>) => Promise<boolean | void>,
  args: readonly string[] = process.argv.slice(2),
): void {
  if (require.main !== module) return;
  let line: CommandLine<O> | 'help';
  try {
    line = readCommandLine(command, args);
  } catch (error) {
    return fail(`${messageOf(error)}\n(--help tells the options)`);
  }
  if (line === 'help') process.stdout.write(command.help);
  else
    act(line).then(
      (ok) => ok === false && fail(),
      (error: unknown) => fail(messageOf(error)),
    );
}

function fail(reason?: string): void {
  if (reason !== undefined) console.error(reason);
  process.exitCode = 1;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
