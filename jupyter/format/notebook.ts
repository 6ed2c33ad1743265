/** Notebook files: nbformat 4.5 as types, read with checks and written the way Jupyter writes them. */

import { jsonText, lines } from './json-text';

/** Several formats of one result, by MIME type; text is one string here, whatever the file holds. */
export type MimeData = Readonly<Record<string, unknown>>;
export type Metadata = Readonly<Record<string, unknown>>;

export interface StreamOutput {
  readonly output_type: 'stream';
  readonly name: 'stdout' | 'stderr';
  readonly text: string;
}
export interface DisplayOutput {
  readonly output_type: 'display_data';
  readonly data: MimeData;
  readonly metadata: Metadata;
}
export interface ResultOutput {
  readonly output_type: 'execute_result';
  readonly execution_count: number | null;
  readonly data: MimeData;
  readonly metadata: Metadata;
}
export interface ErrorOutput {
  readonly output_type: 'error';
  readonly ename: string;
  readonly evalue: string;
  readonly traceback: readonly string[];
}
export type Output = StreamOutput | DisplayOutput | ResultOutput | ErrorOutput;

export interface CodeCell {
  readonly cell_type: 'code';
  readonly id: string;
  readonly metadata: Metadata;
  readonly source: string;
  readonly execution_count: number | null;
  readonly outputs: readonly Output[];
}
export interface TextCell {
  readonly cell_type: 'markdown' | 'raw';
  readonly id: string;
  readonly metadata: Metadata;
  readonly source: string;
  readonly attachments?: Readonly<Record<string, MimeData>>;
}
export type NotebookCell = CodeCell | TextCell;

export interface Notebook {
  readonly nbformat: 4;
  readonly nbformat_minor: number;
  readonly metadata: Metadata;
  readonly cells: readonly NotebookCell[];
}

/**
 * Reads a notebook of nbformat 4; cells of files older than 4.5 get the ids `cell-1`, `cell-2`, ….
 * @param where named in errors, usually the file
 * @throws when the text is no such notebook: where, expected, got, remedy
 */
export function parseNotebook(text: string, where: string): Notebook {
  const top = objectAt(parseJson(text, where), where, 'a notebook (a JSON object)');
  if (top['nbformat'] !== 4)
    throw wrong(
      `${where}: nbformat`,
      '4',
      top['nbformat'],
      'open and save it in a Jupyter of this decade, or take the original file again',
    );
  const { nbformat_minor: minor = 0 } = top;
  if (typeof minor !== 'number') throw wrong(`${where}: nbformat_minor`, 'a number', minor);
  if (!Array.isArray(top['cells'])) throw wrong(`${where}: cells`, 'an array', top['cells']);
  return {
    nbformat: 4,
    nbformat_minor: minor,
    metadata: objectAt(top['metadata'] ?? {}, `${where}: metadata`),
    cells: top['cells'].map((cell, i) => parseCell(cell, `${where}: cell ${i + 1}`, i)),
  };
}

/** The first heading. */
export function titleOf(notebook: Notebook): string {
  for (const cell of notebook.cells) {
    const heading = cell.cell_type === 'markdown' && /^#+\s+(.+)$/m.exec(cell.source);
    if (heading) return heading[1]!;
  }
  return 'Notebook';
}

type Json = Readonly<Record<string, unknown>>;

const REMEDY = 'take the original file again, or undo the edit';

function wrong(where: string, expected: string, got: unknown, remedy = REMEDY): Error {
  return new Error(`${where}: expected ${expected}, got ${kindOf(got)}; ${remedy}`);
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object') return `an object with the keys [${Object.keys(value).slice(0, 5).join(', ')}]`;
  return JSON.stringify(value).slice(0, 60);
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, '')); // a mark that some Windows programs write first
  } catch (error) {
    const empty = text.trim() === '';
    const got = empty ? 'an empty file' : `text that ends or breaks off (${(error as Error).message})`;
    throw new Error(`${where}: expected a notebook (JSON), got ${got}; ${REMEDY}`);
  }
}

function objectAt(value: unknown, where: string, expected = 'an object'): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(where, expected, value);
  return value as Json;
}

function parseCell(value: unknown, where: string, index: number): NotebookCell {
  const cell = objectAt(value, where);
  const { cell_type: type, id = `cell-${index + 1}`, attachments } = cell;
  if (typeof id !== 'string') throw wrong(`${where}: id`, 'a string', id);
  const common = {
    id,
    metadata: objectAt(cell['metadata'] ?? {}, `${where}: metadata`),
    source: textAt(cell['source'], `${where}: source`),
  };
  if (type === 'code') return { cell_type: type, ...common, ...parseRun(cell, where) };
  if (type !== 'markdown' && type !== 'raw') throw wrong(`${where}: cell_type`, '"code", "markdown" or "raw"', type);
  const files = attachments === undefined ? {} : { attachments: objectAt(attachments, `${where}: attachments`) };
  return { cell_type: type, ...common, ...(files as Pick<TextCell, 'attachments'>) };
}

/** Jupyter splits text into lines, each with its line break; one string is as valid. */
function textAt(value: unknown, where: string): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value) && value.every((line) => typeof line === 'string')) return value.join('');
  throw wrong(where, 'a string or an array of strings', value);
}

function parseRun(cell: Json, where: string): Pick<CodeCell, 'execution_count' | 'outputs'> {
  const { execution_count: count = null, outputs = [] } = cell;
  if (count !== null && typeof count !== 'number') throw wrong(`${where}: execution_count`, 'a number or null', count);
  if (!Array.isArray(outputs)) throw wrong(`${where}: outputs`, 'an array', outputs);
  return {
    execution_count: count,
    outputs: outputs.map((output, i) => parseOutput(output, `${where}: output ${i + 1}`)),
  };
}

function parseOutput(value: unknown, where: string): Output {
  const output = objectAt(value, where);
  const type = output['output_type'];
  if (type === 'stream') return parseStream(output, where);
  if (type === 'error') return parseError(output, where);
  const metadata = objectAt(output['metadata'] ?? {}, `${where}: metadata`);
  if (type === 'display_data') return { output_type: type, data: parseData(output['data'], where), metadata };
  if (type !== 'execute_result')
    throw wrong(`${where}: output_type`, '"stream", "display_data", "execute_result" or "error"', type);
  const count = output['execution_count'];
  return {
    output_type: type,
    execution_count: typeof count === 'number' ? count : null,
    data: parseData(output['data'], where),
    metadata,
  };
}

function parseStream(output: Json, where: string): StreamOutput {
  const { name, text } = output;
  if (name !== 'stdout' && name !== 'stderr') throw wrong(`${where}: name`, '"stdout" or "stderr"', name);
  return { output_type: 'stream', name, text: textAt(text, `${where}: text`) };
}

function parseError(output: Json, where: string): ErrorOutput {
  const { ename = '', evalue = '', traceback = [] } = output;
  if (!Array.isArray(traceback)) throw wrong(`${where}: traceback`, 'an array of strings', traceback);
  return { output_type: 'error', ename: String(ename), evalue: String(evalue), traceback: traceback.map(String) };
}

function parseData(value: unknown, where: string): MimeData {
  const data = objectAt(value ?? {}, `${where}: data`);
  return mapValues(data, (content, type) => (isText(type) ? textAt(content, `${where}: ${type}`) : content));
}

/** JSON formats hold any value; all others hold text. */
function isText(mimeType: string): boolean {
  return mimeType !== 'application/json' && !mimeType.endsWith('+json');
}

function mapValues(object: Json, map: (value: unknown, key: string) => unknown): Json {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, map(value, key)]));
}

/** The file's text, as Jupyter would save it: keys sorted, one space of indentation, text as lines, a final newline. */
export function serialiseNotebook(notebook: Notebook): string {
  const cells = notebook.cells.map((cell) => {
    const source = lines(cell.source);
    if (cell.cell_type !== 'code') return { ...cell, source };
    return { ...cell, source, outputs: cell.outputs.map(outputToFile) };
  });
  return `${jsonText({ ...notebook, cells })}\n`;
}

function outputToFile(output: Output): Json {
  if (output.output_type === 'stream') return { ...output, text: lines(output.text) };
  if (output.output_type === 'error') return { ...output };
  const split = (value: unknown, type: string) => (isSplit(type) && typeof value === 'string' ? lines(value) : value);
  return { ...output, data: mapValues(output.data, split) };
}

/** What Jupyter writes as lines; pictures are one string. */
function isSplit(mimeType: string): boolean {
  return mimeType.startsWith('text/') || mimeType === 'application/javascript' || mimeType === 'image/svg+xml';
}
