import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { executeNotebook, type Kernel, type Notebook, startKernel } from 'dgm-jupyter';
import { isRunning } from 'dgm/host';
import { type KernelProcess, startKernelProcess } from '../../jupyter/client/kernel-process';
import { errorOf, executeAnd, framesOf, printed, valueOf } from './kernel-helpers';

// A folder outside of the project, as that of a student who copied a notebook somewhere.
let folder: string;

beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'dgm-notebooks-')));
  writeFileSync(
    join(folder, 'helper.ts'),
    `export function positive(x: number): number {
  if (x <= 0) throw new RangeError('not positive');
  return x;
}
`,
  );
  writeFileSync(join(folder, 'numbers.json'), '{ "five": 5 }');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('one kernel', () => {
  let kernel: Kernel;

  beforeAll(async () => {
    kernel = await startKernel({ cwd: folder });
  });
  afterAll(() => kernel.shutdown());

  /** The next cell's label: traces name cells by their execution count. */
  async function label(ahead = 1): Promise<string> {
    const { executionCount } = await kernel.execute('');
    return `In[${executionCount! + ahead}]`;
  }

  test('counts executions, keeps state, and lets cells declare names anew', async () => {
    const first = await kernel.execute('const x = 1; function double(n: number) { return 2 * n; }');
    const second = await kernel.execute('double(x) + 1');
    expect([first.status, second.status]).toEqual(['ok', 'ok']);
    expect(second.executionCount).toBe(first.executionCount! + 1);
    expect(valueOf(second)).toBe('3');
    expect(valueOf(await kernel.execute(`const x = 'text'; x.length`))).toBe('4');
  });

  test('finds the names of earlier cells in braces of an object literal, and of no shadowed one', async () => {
    await kernel.execute('let inBraces = 1; const alsoInBraces = [2];');
    expect(valueOf(await kernel.execute('JSON.stringify({ inBraces, alsoInBraces })'))).toBe(
      '{"inBraces":1,"alsoInBraces":[2]}',
    );
    const shadowed = 'const own = ((inBraces: string) => ({ inBraces }))("own"); JSON.stringify(own)';
    expect(valueOf(await kernel.execute(shadowed))).toBe('{"inBraces":"own"}');
    expect(valueOf(await kernel.execute('({ inBraces } = { inBraces: 5 }); inBraces'))).toBe('5');
    const defaulted = '({ inBraces = 7 } = {} as { inBraces?: number }); inBraces';
    expect(valueOf(await kernel.execute(defaulted))).toBe('7');
  });

  test('checks types strictly and shows every finding with its line', async () => {
    const cell = await label();
    const failed = await kernel.execute('let bad: number = null\nconst other: string = 1;');
    const { ename, evalue, traceback } = errorOf(failed);
    expect(ename).toBe('TypeScriptError');
    expect(evalue).toBe(`${cell}:1:5 - Type 'null' is not assignable to type 'number'. (and 1 more)`);
    expect(traceback).toEqual([
      `${cell}:1:5 - Type 'null' is not assignable to type 'number'.`,
      '  1 | let bad: number = null',
      '    |     ^',
      '',
      `${cell}:2:7 - Type 'number' is not assignable to type 'string'.`,
      '  2 | const other: string = 1;',
      '    |       ^',
    ]);
  });

  test('says what an export in a cell is', async () => {
    const { traceback } = errorOf(await kernel.execute('export const exported = 1;'));
    expect(traceback.join('\n')).toContain('A cell needs no export');
  });

  test('maps errors to the lines of the cells they went through', async () => {
    const cell = await label();
    await kernel.execute(`interface Box { readonly size: number }
function open(box: Box): number {
  if (box.size > 1) throw new Error('too big');
  return box.size;
}
async function later(box: Box): Promise<number> {
  await Promise.resolve();
  return open(box);
}`);
    const failed = await kernel.execute('const box = { size: 2 };\n\nopen(box);');
    expect(errorOf(failed)).toMatchObject({ ename: 'Error', evalue: 'too big' });
    expect(framesOf(failed)).toEqual([`open (${cell}:3:27)`, `In[${failed.executionCount}]:3:1`]);
    expect(errorOf(failed).traceback).toContain(`  3 |   if (box.size > 1) throw new Error('too big');`);

    const awaited = await kernel.execute('const small = 1;\nconst got = await later(box);');
    expect(framesOf(awaited)).toEqual([
      `open (${cell}:3:27)`,
      `${cell}:8:10`,
      `async In[${awaited.executionCount}]:2:13`,
    ]);
  });

  test('maps errors of local files, and keeps to one line what happens inside a package', async () => {
    const local = await kernel.execute(`import { positive } from './helper';\npositive(-1);`);
    expect(framesOf(local)).toEqual(['positive (helper.ts:2:21)', `In[${local.executionCount}]:2:9`]);
    const inLibrary = await kernel.execute(`import * as dgm from 'dgm';\ndgm.createRng(1).normal([-1]);`);
    expect(framesOf(inLibrary)[0]).toMatch(/^\w+ \(lib\/core\/random\.ts:\d+:\d+\)$/);
    expect(framesOf(inLibrary).at(-1)).toBe(`In[${inLibrary.executionCount}]:2:18`);
    const inPackage = await kernel.execute(
      `import * as tf from '@tensorflow/tfjs';\ntf.tensor([1, 2]).matMul(tf.tensor([1]));`,
    );
    expect(framesOf(inPackage).filter((line) => line.startsWith('@tensorflow/')).length).toBeGreaterThan(0);
    expect(framesOf(inPackage).at(-1)).toBe(`In[${inPackage.executionCount}]:2:19`);
  });

  test('shows the cause of an error, and what is thrown that is no error', async () => {
    const caused = await kernel.execute(
      `try { JSON.parse('{') } catch (cause) { throw new Error('no settings', { cause }) }`,
    );
    const text = errorOf(caused).traceback.join('\n');
    expect(text).toMatch(/^Error: no settings\n {4}at In\[\d+\]:1:47\n/);
    expect(text).toMatch(/Caused by: SyntaxError: .*\n {4}at JSON\.parse \(<anonymous>\)\n {4}at In\[\d+\]:1:12/);
    expect(errorOf(await kernel.execute(`throw 'a word'`))).toMatchObject({ ename: 'Thrown', evalue: `'a word'` });
    expect(errorOf(await kernel.execute('throw null')).evalue).toBe('null');
    expect(errorOf(await kernel.execute('throw { code: 7 }')).evalue).toBe('{ code: 7 }');
  });

  test('reports a promise that nobody awaits, in its cell', async () => {
    const cell = await kernel.execute(`Promise.reject(new Error('left alone'));`);
    expect(cell.status).toBe('ok');
    expect(printed(cell)).toContain('Unhandled rejection (an await is missing): Error: left alone');
    expect(printed(cell)).toContain(`at In[${cell.executionCount}]:1:16`);
  });

  test('awaits in every position', async () => {
    expect(valueOf(await kernel.execute('await (async () => 5)()'))).toBe('5');
    expect(printed(await kernel.execute('for await (const n of [1, Promise.resolve(2)]) console.log(n)'))).toBe(
      '1\n2\n',
    );
    const generator = await kernel.execute(
      `async function* numbers() { yield 1; await null; yield 2; }
       const all: number[] = [];
       for await (const n of numbers()) all.push(n);
       all`,
    );
    expect(valueOf(generator)).toBe('[ 1, 2 ]');
    const methods = await kernel.execute(
      `class Base { async name() { return 'base'; } }
       class Derived extends Base {
         override async name() { await null; return \`\${await super.name()}/\${this.constructor.name}\`; }
       }
       await Promise.all([1, 2].map(async (n) => { await null; return [n, await new Derived().name()]; }))`,
    );
    expect(valueOf(methods)).toBe(`[ [ 1, 'base/Derived' ], [ 2, 'base/Derived' ] ]`);
    const fields = await kernel.execute(
      `await null;
       class Plain { set size(_: number) { throw new Error('assigned, not defined'); } }
       class Sized extends (Plain as new () => object) { #hidden = 1; static { this.prototype; } size = this.#hidden; }
       Object.keys(new Sized())`,
    );
    expect(valueOf(fields)).toBe(`[ 'size' ]`);
    const untyped = await kernel.execute(`const text = await ('a'); const wrong: number = text;`);
    expect(errorOf(untyped).evalue).toContain(`Type 'string' is not assignable to type 'number'`);
  });

  test('loses no output', async () => {
    const cell = await kernel.execute('for (let i = 0; i < 20000; i++) console.log(i);');
    expect(cell.status).toBe('ok');
    expect(printed(cell)).toBe(Array.from({ length: 20000 }, (_, i) => `${i}\n`).join(''));
    const displays = await kernel.execute(
      `import * as dgm from 'dgm'; for (let i = 0; i < 3000; i++) dgm.display({ 'text/plain': String(i) });`,
    );
    expect(displays.outputs.length).toBe(3000);
  });

  test('keeps stdout and stderr apart and in order, and calls back', async () => {
    const cell = await kernel.execute(
      `console.log('a'); console.error('b'); process.stdout.write(Buffer.from('c'));
       await new Promise<void>((done) => process.stdout.write('d', () => done()));`,
    );
    expect(cell.outputs).toEqual([
      { output_type: 'stream', name: 'stdout', text: 'a\n' },
      { output_type: 'stream', name: 'stderr', text: 'b\n' },
      { output_type: 'stream', name: 'stdout', text: 'cd' },
    ]);
  });

  test('shows a value as its own formats, a tensor by its numbers, and nothing of TensorFlow’s greeting', async () => {
    const tensor = await kernel.execute(`import * as tf from '@tensorflow/tfjs'; tf.add(1, 2)`);
    expect(tensor.outputs.map((output) => output.output_type)).toEqual(['execute_result']);
    expect(valueOf(tensor)).toBe('Tensor\n    3');
    const own = await kernel.execute(`({ [Symbol.for('Jupyter.display')]: () => ({ 'text/html': '<b>x</b>' }) })`);
    expect(own.outputs).toMatchObject([{ output_type: 'execute_result', data: { 'text/html': '<b>x</b>' } }]);
    const unsendable = await kernel.execute(
      `({ [Symbol.for('Jupyter.display')]: () => ({ 'application/json': 1n }) })`,
    );
    expect(errorOf(unsendable).ename).toBe('TypeError');
    expect((await kernel.execute('undefined')).outputs).toEqual([]);
    expect(valueOf(await kernel.execute('new Promise(() => {})'))).toBe('Promise { <pending> }');
  });

  test('shows a data frame as a table of some rows', async () => {
    const frame = await kernel.execute(
      `import pl from 'nodejs-polars'; pl.DataFrame({ a: Array.from({ length: 1000 }, (_, i) => i) })`,
    );
    expect(valueOf(frame)).toMatch(/^1000 rows × 1 column\n/);
    expect(frame.outputs).toMatchObject([{ data: { 'text/html': expect.stringContaining('<table') } }]);
  });

  test('displays several formats, and updates them from later cells', async () => {
    const shown = await kernel.execute(
      `import * as dgm from 'dgm';
       dgm.display({ 'text/plain': 'old', 'image/png': new Uint8Array([1, 2, 3]) }, { id: 'picture' });
       console.log('after');`,
    );
    expect(shown.outputs).toEqual([
      {
        output_type: 'display_data',
        data: { 'text/plain': 'old', 'image/png': 'AQID' },
        metadata: { 'image/png': { alt: 'old' } }, // where front ends and nbconvert look for it
      },
      { output_type: 'stream', name: 'stdout', text: 'after\n' },
    ]);
    const update = await kernel.execute(
      `dgm.display({ 'text/plain': 'new', 'text/html': '<i>new</i>' }, { id: 'picture', update: true });`,
    );
    expect(update.outputs).toEqual([]);
    expect(shown.outputs[0]).toMatchObject({ data: { 'text/plain': 'new', 'text/html': '<i>new</i>' } });
  });

  test('finds the project’s packages and the notebook’s files from any folder', async () => {
    const cell = await kernel.execute(
      `import * as dgm from 'dgm';
       import * as grader from 'grader';
       import * as jupyter from 'dgm-jupyter';
       import * as tf from '@tensorflow/tfjs';
       import numbers from './numbers.json';
       import { readFileSync } from 'node:fs';
       [dgm, grader, jupyter, tf].every((room) => Object.keys(room).length > 0)
         ? [process.cwd(), numbers.five, readFileSync('numbers.json', 'utf8').length]
         : 'empty'`,
    );
    expect(valueOf(cell)).toBe(`[ '${folder}', 5, 13 ]`);
    const missing = errorOf(await kernel.execute(`import 'no-such-package-at-all';\nimport { x } from './nowhere';`));
    expect(missing.evalue).toContain(`Cannot find module './nowhere'`);
  });

  test('loads a local file again that threw, or was stopped, half-way', async () => {
    const state = 'const state = globalThis as { tries?: number }; state.tries = (state.tries ?? 0) + 1;';
    const fails = `if (state.tries === 1) throw new Error('not yet'); if (state.tries === 2) { console.log('ready'); for (;;) {} }`;
    writeFileSync(join(folder, 'thrice.ts'), `${state}\n${fails}\nexport const whole = 'whole';\n`);
    const code = `import { whole } from './thrice'; whole`;
    expect(errorOf(await kernel.execute(code)).evalue).toBe('not yet');
    expect(errorOf(await executeAnd(kernel, code, () => void kernel.interrupt())).ename).toBe('KeyboardInterrupt');
    expect(valueOf(await kernel.execute(code))).toBe('whole');
  });

  test('errors that no cell waits for are reported once, with their cell, and end nothing', async () => {
    const listeners = `process.on('unhandledRejection', (reason) => { throw reason; });
      process.on('uncaughtException', (error) => { throw error; });`; // as TensorFlow's WebAssembly backend does
    const cell = await kernel.execute(
      `${listeners} const throwLater = () => setTimeout(() => { throw new Error('late'); }, 5); 1`,
    );
    const next = await kernel.execute(
      `Promise.reject(new Error('now')); throwLater(); await new Promise((done) => setTimeout(done, 200));`,
    );
    expect(printed(next).match(/Error: now/g)).toHaveLength(1);
    expect(printed(next)).toContain(`Uncaught, from In[${cell.executionCount}]: Error: late`);
    await kernel.execute(`process.removeAllListeners('unhandledRejection').removeAllListeners('uncaughtException'); 1`);
  });

  test.each([
    ['its name alone', './named'],
    ['its ending, as Node.js wants it', './named.ts'],
    ['the ending of what it becomes', './named.js'],
    ['a folder', './below/named'],
    ['a folder and its ending', './below/named.ts'],
  ])('a local file is found by %s, also one that was not there at first', async (_, id) => {
    const file = join(folder, `${id.replace(/\.(ts|js)$/, '')}.ts`);
    rmSync(file, { force: true });
    const code = `import { here } from '${id}'; here`;
    expect(errorOf(await kernel.execute(code)).evalue).toContain(`Cannot find module '${id}'`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `export const here: string = '${id}';\n`);
    expect(valueOf(await kernel.execute(code))).toBe(id);
  });

  test('sees a file that was edited through another that imports it', async () => {
    writeFileSync(join(folder, 'inner.ts'), 'export const inner = 1;\n');
    writeFileSync(join(folder, 'outer.ts'), `import { inner } from './inner';\nexport const outer = inner + 1;\n`);
    const code = `import { outer } from './outer'; outer`;
    expect(valueOf(await kernel.execute(code))).toBe('2');
    writeFileSync(join(folder, 'inner.ts'), 'export const inner = 10; // longer\n');
    expect(valueOf(await kernel.execute(code))).toBe('11');
  });

  test('a function without a name shows none', async () => {
    expect(valueOf(await kernel.execute('(x: number) => x'))).toBe('[Function (anonymous)]');
    expect(valueOf(await kernel.execute('function namedOne() {} namedOne'))).toBe('[Function: namedOne]');
  });

  test('answers questions about names, and lists the variables', async () => {
    await kernel.execute(`import * as tf from '@tensorflow/tfjs';
      /** Twice a number. */ function twiceAsked(n: number): number { return 2 * n; }
      const weights = tf.ones([2, 3]); const listed = [1, 2, 3]; const floats = new Float32Array(5);`);
    for (const question of ['?twiceAsked', 'twiceAsked?', '?? twiceAsked'])
      expect(valueOf(await kernel.execute(question))).toMatch(
        /function twiceAsked\(n: number\): number.*Twice a number/s,
      );
    expect(errorOf(await kernel.execute('?twiceAskd')).evalue).toContain(`Did you mean 'twiceAsked'?`);
    const table = String(valueOf(await kernel.execute('?')));
    expect(table).toMatch(/^name +type +value\n/);
    expect(table).toMatch(/\nweights +tf\.Tensor.* float32 \[2, 3\], 24 B\n/);
    expect(table).toMatch(/\nlisted +number\[\] +3 items\n/);
    expect(table).toMatch(/\nfloats .*5 numbers, 20 B\n/);
    expect(table).toMatch(/\ntwiceAsked +\(n: number\): number\n/);
    expect(table).toMatch(/\n\d+ tensors alive, [\d.]+ k?B$/);
    expect(table).not.toMatch(/\ntf /);
    await kernel.execute('weights.dispose()');
    expect(valueOf(await kernel.execute('%whos'))).toMatch(/\nweights .* disposed\n/);
    expect(valueOf(await kernel.execute('!listed'))).toBe('false'); // TypeScript, and no command
  });

  test.each(['!ls', '! pip install x', '%matplotlib inline', 'npm install x', 'ls -la', 'ls'])(
    'a command for a shell gets a sentence: %s',
    async (command) => {
      expect(errorOf(await kernel.execute(command)).traceback.join('\n')).toContain('not a shell');
    },
  );

  test('sees a local file that was edited', async () => {
    const file = join(folder, 'edited.ts');
    writeFileSync(file, 'export const version = 1;\n');
    expect(valueOf(await kernel.execute(`import { version } from './edited'; version`))).toBe('1');
    writeFileSync(file, `export const version = 'second';\n`);
    expect(valueOf(await kernel.execute(`import { version } from './edited'; version`))).toBe('second');
  });

  test('runs nothing more of what was queued when a cell fails', async () => {
    const cells = [`throw new Error('stop here')`, `console.log('not me')`, `console.log('nor me')`];
    const [failed, ...queued] = await Promise.all(cells.map((code) => kernel.execute(code)));
    expect(failed!.status).toBe('error');
    expect(queued).toEqual([
      { status: 'aborted', executionCount: null, outputs: [] },
      { status: 'aborted', executionCount: null, outputs: [] },
    ]);
    const next = await kernel.execute('1');
    expect(next).toMatchObject({ status: 'ok', executionCount: failed!.executionCount! + 1 });
  });

  test('keeps what a failed cell declared before it failed, and says why the rest is missing', async () => {
    const failed = await kernel.execute(
      `const reached = 1;\nlet late: number;\nif (reached) throw new Error();\nlate = 2;`,
    );
    expect(valueOf(await kernel.execute('reached'))).toBe('1');
    const { traceback } = errorOf(await kernel.execute('late + 1'));
    expect(traceback.join('\n')).toContain(`In[${failed.executionCount}] failed before it declared 'late'`);
    const wrong = await kernel.execute(`const neverRan: number = 'text';`);
    const unknown = errorOf(await kernel.execute('neverRan + 1'));
    expect(unknown.traceback.join('\n')).toContain(`In[${wrong.executionCount}] failed before it declared 'neverRan'`);
  });

  test('completes and inspects, counting characters as the editor does', async () => {
    await kernel.execute(`/** Width over height. */ const aspectRatio = 1.5; const 長さ = '😀';`);
    const text = `'😀'; aspectR`;
    const { matches, start, end } = await kernel.complete(text);
    expect(matches).toContain('aspectRatio');
    expect([start, end]).toEqual([text.indexOf('aspectR'), text.length]);
    expect((await kernel.complete('Math.sq')).matches).toContain('sqrt');
    const about = await kernel.inspect(`'😀'; aspectRatio`);
    expect(about).toContain('const aspectRatio: 1.5');
    expect(await kernel.inspect(' ')).toBeNull();
  });

  describe.each([
    ['a message on the control channel', () => void kernel.interrupt()],
    ['SIGINT', () => void process.kill(kernel.pid, 'SIGINT')],
  ])('stopped by %s', (_, stop) => {
    test.each([
      ['synchronous code', `console.log('ready'); for (;;) {}`],
      ['code that catches everything', `console.log('ready'); for (;;) { try { for (;;) {} } catch {} }`],
      ['synchronous code after an await', `await null; console.log('ready'); for (;;) {}`],
      ['a promise that never settles', `console.log('ready'); await new Promise(() => {});`],
      ['a loop of settled promises', `console.log('ready'); for (;;) await null;`],
      ['a loop that ignores rejections', `console.log('ready'); for (;;) { try { await tick(); } catch {} }`],
      ['a function of an earlier cell', `await forever();`],
      [
        'a loop that asks for the signal',
        `const { signal } = { signal: dgm.host()!.interruptSignal() };
         console.log('ready'); while (!signal.aborted) await tick();`,
      ],
      [
        'a library that listens to the signal',
        `console.log('ready'); await untilAborted(dgm.host()!.interruptSignal());`,
      ],
      ['the middle of an operation', `tf.customGrad(() => { console.log('ready'); for (;;) {} })(weight)`],
      ['a stream of output', `console.log('ready'); for (;;) console.log('more');`],
    ])('%s ends, and the next cell runs', async (_, code) => {
      await kernel.execute(
        `import * as dgm from 'dgm';
         import * as tf from '@tensorflow/tfjs';
         import { once } from 'node:events';
         import { setImmediate as tick } from 'node:timers/promises';
         async function forever() { await null; console.log('ready'); for (;;) await tick(); }
         const untilAborted = (signal: AbortSignal) => once(signal, 'abort');
         const weight = tf.variable(tf.scalar(3));`,
      );
      const { ename, evalue } = errorOf(await executeAnd(kernel, code, stop));
      expect([ename, evalue]).toEqual(['KeyboardInterrupt', '']);
      const next = await kernel.execute(
        `[tf.variableGrads(() => weight.square() as tf.Scalar).value.dataSync()[0], dgm.host()!.interruptSignal().aborted]`,
      );
      expect(valueOf(next)).toBe('[ 9, false ]');
    });
  });

  test('a stopped cell cleans up and goes no further', async () => {
    const stopped = await executeAnd(
      kernel,
      `async function work() {
         try { setTimeout(() => console.log('ready')); await new Promise(() => {}); } finally { console.log('cleaned up'); }
       }
       await work();
       console.log('went on');`,
      () => void kernel.interrupt(),
    );
    expect(errorOf(stopped).ename).toBe('KeyboardInterrupt');
    expect(printed(stopped)).toBe('ready\ncleaned up\n');
  });

  test('a listener for SIGINT in a cell does not take the stop button away', async () => {
    await kernel.execute(`process.on('SIGINT', () => {}); process.once('SIGINT', () => {});`);
    for (const code of [`console.log('ready'); for (;;) {}`, `console.log('ready'); await new Promise(() => {});`])
      expect(errorOf(await executeAnd(kernel, code, () => process.kill(kernel.pid, 'SIGINT'))).ename).toBe(
        'KeyboardInterrupt',
      );
    await kernel.execute(`process.removeAllListeners('SIGINT')`);
    expect(
      errorOf(await executeAnd(kernel, `console.log('ready'); for (;;) {}`, () => process.kill(kernel.pid, 'SIGINT')))
        .ename,
    ).toBe('KeyboardInterrupt');
  });

  test('a cell that prints without end is cut, and can be stopped; the next one prints again', async () => {
    const endless = 'console.log("ready"); for (let i = 0; ; i++) console.log("line", i);';
    const flood = await executeAnd(kernel, endless, () => void kernel.interrupt());
    expect(errorOf(flood).ename).toBe('KeyboardInterrupt');
    const long = await kernel.execute('for (let i = 0; i < 300_000; i++) console.log("line", i);');
    const notice = '[This cell has printed more than 1,000,000 characters: the rest is not shown.]';
    expect(long.status).toBe('ok');
    expect(printed(long).length).toBe(1_000_000 + notice.length + 2);
    expect(printed(long).endsWith(`\n${notice}\n`)).toBe(true);
    expect(printed(await kernel.execute('console.log("again")'))).toBe('again\n');
  });

  test('a cell that asks for input is told that there is none', async () => {
    const { evalue, traceback } = errorOf(await kernel.execute('const answer = process.stdin.read();'));
    expect(evalue).toContain('no keyboard input');
    expect(traceback.join('\n')).toContain('1 | const answer = process.stdin.read();');
  });

  test('who writes with a callback is called back for each write', async () => {
    await kernel.execute('let calls = 0; const called = () => void calls++;');
    await kernel.execute(`for (const text of ['a', 'b', 'c']) process.stdout.write(text, called);`);
    expect(valueOf(await kernel.execute('calls'))).toBe('3');
  });

  test('a time limit interrupts, and the kernel goes on', async () => {
    await expect(kernel.execute('await new Promise(() => {})', { timeoutMs: 1 })).rejects.toThrow(
      'still running after 1 ms',
    );
    expect(valueOf(await kernel.execute('2 + 2'))).toBe('4');
  });

  test('a stop that meets a cell as it begins leaves the next one alone, however often', async () => {
    for (let i = 0; i < 40; i++) {
      const stopped = kernel.execute('await new Promise(() => {})', { timeoutMs: i % 4 });
      await expect(stopped).rejects.toThrow('still running');
      expect(valueOf(await kernel.execute(`${i} + 2`))).toBe(String(i + 2));
    }
  });
});

test.each([
  ['a message', (session: KernelProcess) => session.request('control', 'interrupt_request', {})],
  ['SIGINT', async ({ pid }: KernelProcess) => void process.kill(pid, 'SIGINT')],
])('%s while the kernel still loads stops the cell that waits, and no later one', async (_, stop) => {
  const session = await startKernelProcess({ cwd: folder });
  try {
    const cell = session.request('shell', 'execute_request', { code: 'for (;;) {}' });
    await new Promise((resolve) => setTimeout(resolve, 50)); // another socket: this one must not be overtaken
    await stop(session);
    expect(await cell).toMatchObject({ status: 'error', ename: 'KeyboardInterrupt' });
    expect(await session.request('shell', 'execute_request', { code: '5 + 5' })).toMatchObject({ status: 'ok' });
  } finally {
    await session.end();
  }
});

test('the protocol, as front ends use it', async () => {
  const session = await startKernelProcess({ cwd: folder });
  try {
    const seen: [string, unknown][] = [];
    const execute = (code: string, more = {}) =>
      session.request('shell', 'execute_request', { code, ...more }, ({ header, content }) => {
        seen.push([header.msg_type, content]);
      });
    expect(await execute('1 + 1')).toMatchObject({ status: 'ok', execution_count: 1, payload: [] });
    expect(seen).toEqual([
      ['execute_input', { code: '1 + 1', execution_count: 1 }],
      ['execute_result', { execution_count: 1, data: { 'text/plain': '2' }, metadata: {} }],
    ]);
    seen.length = 0;
    expect(await execute(`console.log('unseen')`, { silent: true })).toMatchObject({
      status: 'ok',
      execution_count: 1,
    });
    expect(seen).toEqual([]);

    // A cell keeps the kernel busy: what does not need it is answered all the same.
    const busy = execute(`console.log('busy'); for (;;) {}`);
    expect(await session.request('shell', 'kernel_info_request', {})).toMatchObject({
      status: 'ok',
      protocol_version: '5.3',
      language_info: { name: 'typescript', file_extension: '.ts' },
    });
    expect(await session.request('shell', 'comm_info_request', {})).toEqual({ status: 'ok', comms: {} });
    expect(await session.request('control', 'interrupt_request', {})).toEqual({ status: 'ok' });
    const repeat = setInterval(() => void session.request('control', 'interrupt_request', {}), 500); // the first may come too early
    expect(await busy).toMatchObject({ status: 'error', ename: 'KeyboardInterrupt' });
    clearInterval(repeat);
  } finally {
    await session.end();
  }
  expect(isRunning(session.pid)).toBe(false);
});

describe('what a console asks', () => {
  let session: KernelProcess;
  const ask = (type: string, content: object) => session.request('shell', `${type}_request`, content);
  const execute = (code: string, more = {}) => ask('execute', { code, ...more });

  beforeAll(async () => {
    session = await startKernelProcess({ cwd: folder });
  });
  afterAll(() => session.end());

  test.each([
    ['f()', { status: 'complete' }],
    ['', { status: 'complete' }],
    ['// only a comment', { status: 'complete' }],
    ['const a = <T>(x: T) => x', { status: 'complete' }],
    ['f(', { status: 'incomplete', indent: '  ' }],
    ['if (x) {\n  y();', { status: 'incomplete', indent: '  ' }],
    ['for (;;)', { status: 'incomplete', indent: '' }],
    ['a +', { status: 'incomplete', indent: '' }],
    ['`first line', { status: 'incomplete', indent: '' }],
    ['`a ${', { status: 'incomplete', indent: '  ' }],
    ['/* not yet', { status: 'incomplete', indent: '' }],
    ['"no end', { status: 'invalid' }],
    ['const const', { status: 'invalid' }],
    [')', { status: 'invalid' }],
    ['f(;\n', { status: 'invalid' }],
    ['f(\n\n\n', { status: 'invalid' }], // two empty lines: run it, whatever it is
  ])('%j is %j', async (code, answer) => {
    expect(await ask('is_complete', { code })).toEqual(answer);
  });

  test('the values of expressions, beside those of a cell', async () => {
    await execute('const a = 20; const wide: { x: number } = { x: 1 };');
    const expressions = {
      twice: 'a * 2',
      object: 'wide',
      nothing: 'undefined',
      wrong: 'b',
      thrown: 'wide.x.toFixed(-1)',
    };
    const { user_expressions } = await execute('a', { user_expressions: expressions });
    expect(user_expressions).toMatchObject({
      twice: { status: 'ok', data: { 'text/plain': '40' }, metadata: {} },
      object: { status: 'ok', data: { 'text/plain': '{ x: 1 }' } },
      nothing: { status: 'ok', data: { 'text/plain': 'undefined' } },
      wrong: { status: 'error', ename: 'TypeScriptError' },
      thrown: { status: 'error', ename: 'RangeError' },
    });
    expect((await execute('throw 1', { user_expressions: { twice: 'a * 2' } }))['user_expressions']).toBeUndefined();
    expect(await execute('a')).toMatchObject({ status: 'ok' });
  });

  test('what was asked before', async () => {
    const { execution_count: first } = await execute('"past one"');
    await execute('"past two"; // [*]');
    await execute('"past two"; // [*]');
    await execute('"quiet"', { silent: true });
    await execute('"off the record"', { store_history: false });
    const history = async (content: object) => (await ask('history', content))['history'];
    const [one, two, three] = [0, 1, 2].map((more) => (first as number) + more);
    const all = [[1, one, '"past one"'], [1, two, '"past two"; // [*]'], [1, three, '"past two"; // [*]']]; // prettier-ignore
    expect(await history({ hist_access_type: 'tail', n: 3 })).toEqual(all);
    expect(await history({ hist_access_type: 'tail', n: 1, output: true })).toEqual([[1, three, ['"past two"; // [*]', null]]]); // prettier-ignore
    expect(await history({ hist_access_type: 'range', session: 0, start: one, stop: two })).toEqual(all.slice(0, 1));
    expect(await history({ hist_access_type: 'range', session: -1, start: one, stop: two })).toEqual([]);
    expect(await history({ hist_access_type: 'search', pattern: '"past*' })).toEqual(all);
    expect(await history({ hist_access_type: 'search', pattern: '*[*]', unique: true })).toEqual(all.slice(2));
    expect(await history({ hist_access_type: 'search', pattern: '"past ???"', n: 5 })).toEqual(all.slice(0, 1));
  });
});

describe('the end of a kernel', () => {
  test('rejects what runs, and a restart begins anew', async () => {
    const kernel = await startKernel({ cwd: folder });
    await kernel.execute('const before = 1;');
    const first = kernel.pid;
    await expect(kernel.execute(`process.exit(3)`)).rejects.toThrow('the kernel ended (exit code 3)');
    await expect(kernel.execute('1')).rejects.toThrow('the kernel ended (exit code 3)');
    await kernel.restart();
    expect(kernel.pid).not.toBe(first);
    expect(errorOf(await kernel.execute('before')).evalue).toContain(`Cannot find name 'before'`);
    const busy = executeAnd(kernel, `console.log('ready'); for (;;) {}`, () => void kernel.shutdown());
    await expect(busy).rejects.toThrow('the kernel ended');
    await kernel.shutdown();
    expect([first, kernel.pid].filter(isRunning)).toEqual([]);
  });

  test('comes with the end of the program that started it', async () => {
    const program = `require(process.argv[1]).startKernel().then((kernel) => {
      process.stdout.write(String(kernel.pid));
      kernel.execute('for (;;) {}');
    });`;
    const parent = spawn(process.execPath, [
      '-e',
      program,
      join(import.meta.dirname, '../../jupyter/dist/client/client.js'),
    ]);
    const [pid] = (await once(parent.stdout, 'data')).map(Number) as [number];
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    await expect.poll(() => isRunning(pid), { timeout: 20_000 }).toBe(false);
  });
});

test('a kernel ends when the program that started it is gone before the kernel first looks', async () => {
  const parent = spawn(process.execPath, ['-e', '']); // its number is nobody's when it has ended
  await once(parent, 'exit');
  const folder = mkdtempSync(join(tmpdir(), 'kernel-test-'));
  const file = join(folder, 'connection.json');
  const ports = { shell_port: 1, iopub_port: 2, stdin_port: 3, control_port: 4, hb_port: 5 };
  writeFileSync(file, JSON.stringify({ ip: join(folder, 'kernel'), transport: 'ipc', key: 'k', signature_scheme: 'hmac-sha256', ...ports })); // prettier-ignore
  const program = join(import.meta.dirname, '../../jupyter/share/kernels/dgm/kernel.mjs');
  const env = { ...process.env, JPY_PARENT_PID: String(parent.pid), DGM_CONNECTION_FOLDER: folder };
  const kernel = spawn(process.execPath, [program, file], { env, stdio: 'ignore' });
  expect(await once(kernel, 'exit')).toEqual([null, 'SIGKILL']);
  expect(existsSync(folder)).toBe(false);
});

test('front ends stop the kernel by a message, which Windows has as well', () => {
  const spec = readFileSync(join(import.meta.dirname, '../../jupyter/share/kernels/dgm/kernel.json'), 'utf8');
  expect(JSON.parse(spec)).toMatchObject({ interrupt_mode: 'message' });
});

describe('a kernel that cannot start', () => {
  test('says what the process said', async () => {
    const kernel = [process.execPath, '-e', `console.error('no memory on this machine'); process.exit(7)`];
    await expect(startKernel({ kernel })).rejects.toThrow(/exit code 7\):\nno memory on this machine/);
    await expect(startKernel({ kernel: ['no-such-program-at-all'] })).rejects.toThrow('the kernel did not start');
  });

  test('names the remedy when the build is missing', () => {
    const share = join(import.meta.dirname, '../../jupyter/share');
    const place = join(folder, 'elsewhere/jupyter/share');
    cpSync(share, place, { recursive: true });
    const start = () =>
      execFileSync(process.execPath, [join(place, 'kernels/dgm/kernel.mjs'), 'x.json'], { stdio: 'pipe' });
    expect(start).toThrow(/is missing\. Run "npm start" in .*elsewhere/);
  });

  test('says that the connection file is missing or broken', async () => {
    const kernel = join(import.meta.dirname, '../../jupyter/dist/kernel/main.js');
    const start =
      (...args: string[]) =>
      () =>
        execFileSync(process.execPath, [kernel, ...args], { stdio: 'pipe' });
    expect(start()).toThrow('needs the connection file');
    expect(start(join(folder, 'none.json'))).toThrow('expected a connection file');
  });
});

describe('a notebook from top to bottom', () => {
  const code = (source: string) =>
    ({ cell_type: 'code', id: `c${source.length}`, metadata: {}, source, execution_count: 9, outputs: [] }) as const;
  const notebook: Notebook = {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: {},
    cells: [
      { cell_type: 'markdown', id: 'text', metadata: {}, source: '# Title' },
      code(`import { display } from 'dgm'; display({ 'text/plain': 'old' }, { id: 'x' });`),
      code(`display({ 'text/plain': 'new' }, { id: 'x', update: true }); console.log(process.env['COLOUR']);`),
      code(`throw new Error('third');`),
      code(`console.log('last')`),
    ],
  };

  test('stops at the first failure, with outputs and counts in place', async () => {
    const seen: number[] = [];
    const run = await executeNotebook(notebook, {
      cwd: folder,
      env: { COLOUR: 'red' },
      onCell: (index, total) => seen.push(index, total),
    });
    expect(seen).toEqual([0, 4, 1, 4, 2, 4]);
    expect(run.ok).toBe(false);
    expect(run.failures).toMatchObject([{ index: 2, ename: 'Error', evalue: 'third' }]);
    const cells = run.notebook.cells.filter((cell) => cell.cell_type === 'code');
    expect(cells.map((cell) => cell.execution_count)).toEqual([1, 2, 3, null]);
    expect(cells.map((cell) => cell.outputs.length)).toEqual([1, 1, 1, 0]);
    expect(cells[0]!.outputs).toMatchObject([{ data: { 'text/plain': 'new' } }]);
    expect(cells[1]!.outputs).toEqual([{ output_type: 'stream', name: 'stdout', text: 'red\n' }]);
    expect(notebook.cells[1]).toMatchObject({ execution_count: 9, outputs: [] });
  });

  test('goes on after failures when asked, and ends when aborted', async () => {
    const controller = new AbortController();
    const waiting = { ...notebook, cells: [...notebook.cells, code('await new Promise(() => {})'), code('1')] };
    const run = await executeNotebook(waiting, {
      cwd: folder,
      stopOnError: false,
      signal: controller.signal,
      onCell: (index) => index === 4 && setTimeout(() => controller.abort()),
    });
    expect(run.failures.map(({ index, ename }) => [index, ename])).toEqual([
      [2, 'Error'],
      [4, 'KeyboardInterrupt'],
    ]);
    expect(run.ok).toBe(false);
    expect(run.notebook.cells.at(-1)).toMatchObject({ execution_count: null, outputs: [] });
  });
});
