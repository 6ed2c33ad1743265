import { describe, expect, test } from 'vitest';
import { type Notebook, parseNotebook, serialiseNotebook } from 'dgm-jupyter';
import { createHeader, decode, encode } from '../../jupyter/client/messages';
import { createDisplays, createOutputs } from '../../jupyter/format/outputs';

const cell = { cell_type: 'code', id: 'a', metadata: {}, source: ['x\n', 'y'], execution_count: null, outputs: [] };
const file = (changes: object) =>
  JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells: [], ...changes });

describe('reading', () => {
  test('joins lines, and gives ids to cells that have none', () => {
    const text = file({
      nbformat_minor: 2,
      cells: [
        { ...cell, id: undefined },
        { cell_type: 'markdown', source: '# x' },
      ],
    });
    expect(parseNotebook(text, 'a.ipynb').cells).toEqual([
      { cell_type: 'code', id: 'cell-1', metadata: {}, source: 'x\ny', execution_count: null, outputs: [] },
      { cell_type: 'markdown', id: 'cell-2', metadata: {}, source: '# x' },
    ]);
  });

  test.each([
    ['', /a\.ipynb: expected a notebook \(JSON\), got an empty file; take the original file again/],
    ['{"cells": [', /a\.ipynb: expected a notebook \(JSON\), got text that ends or breaks off \(/],
    ['[]', /a\.ipynb: expected a notebook \(a JSON object\), got an array of 0;/],
    ['null', /expected a notebook \(a JSON object\), got null;/],
    [file({ nbformat: 3 }), /a\.ipynb: nbformat: expected 4, got 3; open and save it in a Jupyter/],
    ['{}', /a\.ipynb: nbformat: expected 4, got nothing;/],
    [file({ nbformat_minor: '5' }), /a\.ipynb: nbformat_minor: expected a number, got "5";/],
    [file({ cells: undefined }), /a\.ipynb: cells: expected an array, got nothing;/],
    [file({ cells: {} }), /a\.ipynb: cells: expected an array, got an object with the keys \[\];/],
    [file({ metadata: [] }), /a\.ipynb: metadata: expected an object, got an array of 0;/],
    [file({ cells: [cell, 5] }), /a\.ipynb: cell 2: expected an object, got 5;/],
    [file({ cells: [{ ...cell, id: 1 }] }), /cell 1: id: expected a string, got 1;/],
    [
      file({ cells: [{ ...cell, cell_type: 'html' }] }),
      /cell 1: cell_type: expected "code", "markdown" or "raw", got "html";/,
    ],
    [file({ cells: [{ ...cell, source: 5 }] }), /cell 1: source: expected a string or an array of strings, got 5;/],
    [file({ cells: [{ ...cell, source: ['a', 5] }] }), /cell 1: source: expected .*, got an array of 2;/],
    [file({ cells: [{ ...cell, outputs: {} }] }), /cell 1: outputs: expected an array/],
    [
      file({ cells: [{ ...cell, execution_count: 'x' }] }),
      /cell 1: execution_count: expected a number or null, got "x";/,
    ],
    [file({ cells: [{ ...cell, outputs: [{ output_type: 'pyout' }] }] }), /output 1: output_type: expected "stream"/],
    [
      file({ cells: [{ ...cell, outputs: [{ output_type: 'stream', name: 'x' }] }] }),
      /output 1: name: expected "stdout"/,
    ],
    [
      file({ cells: [{ ...cell, outputs: [{ output_type: 'display_data', data: { 'text/html': 1 } }] }] }),
      /output 1: text\/html: expected a string/,
    ],
  ])('refuses %j', (text, message) => {
    expect(() => parseNotebook(text, 'a.ipynb')).toThrow(message);
  });
});

// Other programs save other notebooks: a row each.
describe('reading what others saved', () => {
  const code = { ...cell, source: 'x\ny' };
  test.each([
    ['a byte order mark', `\uFEFF${file({ cells: [cell] })}`, [code]],
    ['Windows line ends between the tokens', file({ cells: [cell] }).replaceAll(',', ',\r\n'), [code]],
    ['Windows line ends in a cell', file({ cells: [{ ...cell, source: ['x\r\n', 'y'] }] }), [{ ...code, source: 'x\r\ny' }]],
    ['a cell as one text', file({ cells: [code] }), [code]],
    ['an empty cell', file({ cells: [{ ...cell, source: [] }] }), [{ ...code, source: '' }]],
    ['no outputs, no count, no metadata', file({ cells: [{ cell_type: 'code', id: 'a', source: 'x\ny' }] }), [code]],
    ['metadata that is null', file({ metadata: null, cells: [{ ...cell, metadata: null }] }), [code]],
    ['properties of their own', file({ cells: [{ ...cell, vscode: { languageId: 'typescript' } }], worksheets: [] }), [code]],
    ['a prompt of an older format', file({ cells: [{ ...cell, prompt_number: 3 }] }), [code]],
    ['nothing but a mark of the format', file({}), []],
    [
      'a picture in lines, and a text that ends in a line break',
      file({ cells: [{ ...cell, outputs: [{ output_type: 'display_data', data: { 'image/png': ['AQ\n', 'ID\n'], 'text/plain': ['a\n'] } }] }] }),
      [{ ...code, outputs: [{ output_type: 'display_data', data: { 'image/png': 'AQ\nID\n', 'text/plain': 'a\n' }, metadata: {} }] }],
    ],
    [
      'an error without a trace',
      file({ cells: [{ ...cell, outputs: [{ output_type: 'error', ename: 'E', evalue: '' }] }] }),
      [{ ...code, outputs: [{ output_type: 'error', ename: 'E', evalue: '', traceback: [] }] }],
    ],
    ['letters of every kind', file({ cells: [{ ...cell, source: ['Renée 長さ 😀 e\u0301\n', '\u2028'] }] }), [{ ...code, source: 'Renée 長さ 😀 e\u0301\n\u2028' }]],
  ])('%s', (_, text, cells) => {
    const notebook = parseNotebook(text, 'a.ipynb');
    expect(notebook.cells).toEqual(cells);
    expect(parseNotebook(serialiseNotebook(notebook), 'b.ipynb')).toEqual(notebook);
  }); // prettier-ignore
});

describe('writing', () => {
  const notebook: Notebook = {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: { kernelspec: { name: 'dgm', display_name: 'TypeScript (dgm)' } },
    cells: [
      {
        cell_type: 'markdown',
        id: 'text',
        metadata: {},
        source: 'a\n\nb\n',
        attachments: { 'x.png': { 'image/png': 'AQID' } },
      },
      {
        cell_type: 'code',
        id: 'code',
        metadata: { tags: ['check'] },
        source: '',
        execution_count: 2,
        outputs: [
          { output_type: 'stream', name: 'stdout', text: 'one\ntwo' },
          {
            output_type: 'display_data',
            data: { 'text/html': '<b>\n</b>', 'application/json': { z: 1, a: [] } },
            metadata: {},
          },
          { output_type: 'execute_result', execution_count: 2, data: { 'text/plain': '5' }, metadata: {} },
          { output_type: 'error', ename: 'Error', evalue: 'x', traceback: ['Error: x'] },
        ],
      },
    ],
  };

  test('comes back as it was, and is the same text the second time', () => {
    const text = serialiseNotebook(notebook);
    expect(parseNotebook(text, 'a.ipynb')).toEqual(notebook);
    expect(serialiseNotebook(parseNotebook(text, 'a.ipynb'))).toBe(text);
  });

  test('is what Jupyter writes: sorted keys, one space, lines, a final newline', () => {
    const one = { ...notebook, metadata: {}, cells: [notebook.cells[0]!] };
    expect(serialiseNotebook(one)).toBe(`{
 "cells": [
  {
   "attachments": {
    "x.png": {
     "image/png": "AQID"
    }
   },
   "cell_type": "markdown",
   "id": "text",
   "metadata": {},
   "source": [
    "a\\n",
    "\\n",
    "b\\n"
   ]
  }
 ],
 "metadata": {},
 "nbformat": 4,
 "nbformat_minor": 5
}
`);
  });
});

// What nbformat 5 writes of the same notebook (`nbformat.writes`), so that a save in Jupyter changes no line.
describe('each kind of output is written as Jupyter writes it', () => {
  const written = (data: Record<string, unknown>) => {
    const outputs = [{ output_type: 'display_data', data, metadata: {} } as const];
    const code = { cell_type: 'code', id: 'a', metadata: {}, source: '', execution_count: null, outputs } as const;
    const text = serialiseNotebook({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells: [code] });
    const [, body] = /"data": (\{.*?\n {5}\}|\{\}),\n {5}"metadata"/s.exec(text)!;
    return body!.replace(/\n */g, ' ');
  };
  test.each([
    ['a picture', { 'image/png': 'AQID' }, `{ "image/png": "AQID" }`],
    ['a picture with line breaks', { 'image/jpeg': 'AQ\nID\n' }, String.raw`{ "image/jpeg": "AQ\nID\n" }`],
    ['a drawing', { 'image/svg+xml': '<svg>\n</svg>' }, String.raw`{ "image/svg+xml": [ "<svg>\n", "</svg>" ] }`],
    ['a script', { 'application/javascript': 'a\nb' }, String.raw`{ "application/javascript": [ "a\n", "b" ] }`],
    ['a page', { 'text/html': '<b>\n' }, String.raw`{ "text/html": [ "<b>\n" ] }`],
    ['an empty text', { 'text/plain': '' }, `{ "text/plain": [] }`],
    ['another format', { 'application/pdf': 'a\nb' }, String.raw`{ "application/pdf": "a\nb" }`],
    ['JSON that is a text', { 'application/json': 'a\nb' }, String.raw`{ "application/json": "a\nb" }`],
    ['returns and form feeds', { 'text/plain': 'a\rb\r\nc\fd\ve' }, String.raw`{ "text/plain": [ "a\r", "b\r\n", "c\f", "d\u000b", "e" ] }`],
    ['rare line ends', { 'text/plain': 'a\u2028b\u0085c\x1cd' }, `{ "text/plain": [ "a\u2028", "b\u0085", "c\\u001c", "d" ] }`],
    ['small numbers', { 'application/json': [1e-9, 0.00012, 0.00001, -2.5e-7, 1e-12] }, `{ "application/json": [ 1e-09, 0.00012, 1e-05, -2.5e-07, 1e-12 ] }`],
    ['large numbers', { 'application/json': [1e21, 1e100, 123456789012345, -0.1] }, `{ "application/json": [ 1e+21, 1e+100, 123456789012345, -0.1 ] }`],
    ['nothing within', { 'application/json': { a: {}, b: [], c: null, d: true } }, `{ "application/json": { "a": {}, "b": [], "c": null, "d": true } }`],
  ])('%s', (_, data, text) => {
    expect(written(data)).toBe(text);
  }); // prettier-ignore
});

describe('collecting outputs', () => {
  function collect() {
    const displays = createDisplays();
    const calls: number[] = [];
    return { displays, calls, list: createOutputs(displays, (_, outputs) => calls.push(outputs.length)) };
  }
  const stream = (name: string, text: string) => ['stream', { name, text }] as const;

  test('joins what one stream says in a row', () => {
    const { list, calls } = collect();
    for (const message of [stream('stdout', 'a'), stream('stdout', 'b'), stream('stderr', 'c'), stream('stdout', 'd')])
      list.apply(...message);
    expect(list.items.map((item) => (item.output_type === 'stream' ? item.text : ''))).toEqual(['ab', 'c', 'd']);
    expect(calls).toEqual([1, 1, 2, 3]);
  });

  test('clears at once, or when the next output comes', () => {
    const { list } = collect();
    list.apply(...stream('stdout', 'a'));
    list.apply('clear_output', { wait: true });
    expect(list.items.length).toBe(1);
    list.apply(...stream('stdout', 'b'));
    expect(list.items).toEqual([{ output_type: 'stream', name: 'stdout', text: 'b' }]);
    list.apply('clear_output', {});
    expect(list.items).toEqual([]);
  });

  test('updates every display of an id, in all lists, and none that is cleared', () => {
    const { list, displays } = collect();
    const other = createOutputs(displays, () => undefined);
    const show = [
      'display_data',
      { data: { 'text/plain': 'a' }, metadata: {}, transient: { display_id: 'x' } },
    ] as const;
    for (const each of [list, other, other]) each.apply(...show);
    other.apply('update_display_data', { data: { 'text/plain': 'b' }, transient: { display_id: 'x' } });
    other.apply('update_display_data', { data: { 'text/plain': 'c' }, transient: { display_id: 'x' } });
    const c = { output_type: 'display_data', data: { 'text/plain': 'c' }, metadata: {} };
    expect([list.items, other.items]).toEqual([[c], [c, c]]);
    list.apply('clear_output', {});
    other.apply('update_display_data', { data: { 'text/plain': 'd' }, transient: { display_id: 'x' } });
    expect(list.items).toEqual([]);
  });
});

describe('messages', () => {
  const header = createHeader('execute_request', 'session');
  const rest = { metadata: { cellId: 'a' }, buffers: [Buffer.from('bytes')] };
  const message = { identities: [], header, parent: null, content: { code: '1' }, ...rest };
  const frames = (key: string) => encode(key, message).map((frame) => Buffer.from(frame));

  test('come back as they were', () => {
    expect(decode('key', frames('key'))).toEqual(message);
    expect(decode('', frames(''))).toEqual(message);
  });

  test('are refused when signed with another key, changed, or cut', () => {
    expect(() => decode('key', frames('other'))).toThrow('wrong signature');
    const changed = frames('key').with(-2, Buffer.from('{"code":"2"}'));
    expect(() => decode('key', changed)).toThrow('wrong signature');
    expect(() => decode('key', frames('key').slice(0, 3))).toThrow('not a Jupyter message');
  });
});
