import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { flag, integer, listOf, oneOf, positive, readCommandLine, text } from '../../../app/command-line/command';

const command = {
  help: 'help of it\n',
  options: {
    loud: flag,
    name: text,
    port: integer(1, 65535),
    jobs: integer(1),
    seconds: positive,
    only: listOf(oneOf(['vae', 'gan'])),
    peer: { ...text, alone: 'python3' },
  },
  positionals: { name: 'chapter', most: 1 },
};
const read = (...args: string[]) => readCommandLine(command, args);

test('values have their types, and an option that was not given is not there', () => {
  expect(read()).toEqual({ options: {}, positionals: [] });
  expect(read('03', '--loud', '--name=a=b', '--port', '9000', '--seconds', '.5', '--only', 'gan, vae')).toEqual({
    options: { loud: true, name: 'a=b', port: 9000, seconds: 0.5, only: ['gan', 'vae'] },
    positionals: ['03'],
  });
  expect(read('--jobs', '2', '--jobs', '3')).toMatchObject({ options: { jobs: 3 } }); // the last word counts
  expect(read('--', '--loud')).toEqual({ options: {}, positionals: ['--loud'] });
  expect(read('--name', '-')).toMatchObject({ options: { name: '-' } });
  expect(read('--name=')).toMatchObject({ options: { name: '' } });
  expect(read('--name=--loud')).toMatchObject({ options: { name: '--loud' } });
});

test('an option that may stand alone', () => {
  for (const args of [['--peer'], ['--peer', '--loud']])
    expect(read(...args)).toMatchObject({ options: { peer: 'python3' } });
  expect(read('--peer', 'venv/bin/python')).toEqual({ options: { peer: 'venv/bin/python' }, positionals: [] });
});

test.each([['--help'], ['-h'], ['03', '--loud', '--help']])('help: %s %s %s', (...args) => {
  expect(read(...args.filter((arg) => arg !== undefined))).toBe('help');
});

describe('says what is wrong', () => {
  test.each([
    [['--prot', '1'], 'unknown option --prot; did you mean --port?'],
    [['--loud', '--quiet-all'], 'unknown option --quiet-all; there are --loud, --name, --port'],
    [['-x'], 'unknown option -x; there are --loud'],
    [['--constructor'], 'unknown option --constructor; there are'],
    [['--__proto__', 'a'], 'unknown option --__proto__; there are'],
    [['--name'], '--name needs a value'],
    [['--name', '--loud'], '--name needs a value'],
    [['--loud=yes'], '--loud takes no value, got "yes"'],
    [['--port', '0'], '--port must be an integer from 1 to 65535, got "0"'],
    [['--port', '65536'], '--port must be an integer from 1 to 65535, got "65536"'],
    [['--port', '1e3'], '--port must be an integer from 1 to 65535, got "1e3"'],
    [['--port', '0x50'], 'got "0x50"'],
    [['--port='], 'got ""'],
    [['--jobs', '1.5'], '--jobs must be an integer ≥ 1, got "1.5"'],
    [['--seconds', '-1'], '--seconds must be a number > 0, got "-1"'],
    [['--seconds', 'Infinity'], '--seconds must be a number > 0, got "Infinity"'],
    [['--only', 'vea'], '--only: there is no "vea"; there are vae, gan; did you mean vae?'],
    [['--only', 'vae,'], '--only: there is no ""; there are vae, gan'],
    [['01', '02'], 'one chapter at a time, got 01, 02'],
  ])('%j', (args, message) => expect(() => read(...args)).toThrow(message));

  test('a word where none belongs', () => {
    expect(() => readCommandLine({ help: '', options: {} }, ['x'])).toThrow(
      'got x, which is no option; options begin with --',
    );
  });
});

describe('a program', () => {
  const COMMAND = JSON.stringify(join(import.meta.dirname, '../../../app/dist/command-line/command.js'));
  const folder = mkdtempSync(join(tmpdir(), 'command-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  const run = (act: string, ...args: string[]) => {
    const file = join(folder, 'program.cjs');
    writeFileSync(
      file,
      `const { flag, runCommand } = require(${COMMAND});
       runCommand(module, { help: 'help of it\\n', options: { loud: flag } }, async ({ options }) => { ${act} });`,
    );
    const { status, stdout, stderr } = spawnSync(process.execPath, [file, ...args], { encoding: 'utf8' });
    return { status, stdout, stderr };
  };

  test('acts on its options', () => {
    expect(run('console.log(options.loud)', '--loud')).toEqual({ status: 0, stdout: 'true\n', stderr: '' });
  });

  test('prints its help and does nothing', () => {
    expect(run('console.log(1)', '-h')).toEqual({ status: 0, stdout: 'help of it\n', stderr: '' });
  });

  test('a wrong option, an error, and a failure whose reason was told', () => {
    expect(run('', '--lout')).toEqual({
      status: 1,
      stdout: '',
      stderr: 'unknown option --lout; did you mean --loud?\n(--help tells the options)\n',
    });
    expect(run("throw new Error('no room')")).toEqual({ status: 1, stdout: '', stderr: 'no room\n' });
    expect(run('return false')).toEqual({ status: 1, stdout: '', stderr: '' });
  });

  test('is no program when another one loads it', () => {
    const file = JSON.stringify(join(import.meta.dirname, '../../../app/dist/start/kernelspec.js'));
    expect(execFileSync(process.execPath, ['-e', `require(${file})`], { encoding: 'utf8' })).toBe('');
  });
});
