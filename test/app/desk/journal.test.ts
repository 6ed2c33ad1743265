import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { NotebookCell } from 'dgm-jupyter';
import type { ChannelMessage } from '../../../app/desk/channel-messages';
import { createJournal } from '../../../app/desk/journal';
import { createHeader } from '../../../jupyter/client/messages';
import { exercise } from './desk-helpers';

// What is kept for a page that is loaded again.

const header = (msg_type: string, msg_id = 'id') => ({ ...createHeader(msg_type, 'page'), msg_id });
const request = (id: string, cellId = 'a'): ChannelMessage => ({
  channel: 'shell',
  header: header('execute_request', id),
  parent_header: {},
  metadata: { cellId },
  content: {},
  buffers: [],
});
const output = (parent: string, type: string, content: object = {}): ChannelMessage => ({
  channel: 'iopub',
  header: header(type),
  parent_header: header('execute_request', parent),
  metadata: {},
  content: content as ChannelMessage['content'],
  buffers: [],
});
const status = (parent: string, execution_state: string) => output(parent, 'status', { execution_state });
const stream = (parent: string, text: string) => output(parent, 'stream', { name: 'stdout', text });
const run = (count: number, id: string, ...outputs: ChannelMessage[]) => [
  status(id, 'busy'),
  output(id, 'execute_input', { execution_count: count }),
  ...outputs,
  status(id, 'idle'),
];
const types = (messages: ChannelMessage[]) =>
  messages.map(({ header, content }) => String(content['execution_state'] ?? content['text'] ?? header.msg_type));
const cell = (id: string, execution_count: number | null): NotebookCell => ({
  ...exercise(id, 'x'),
  cell_type: 'code',
  execution_count,
  source: '',
  outputs: [],
});

test('cells that run, and those that ended but are not saved; each in its order and with its mark', () => {
  const journal = createJournal();
  for (const id of ['one', 'two']) journal.noteRequest(request(id, id));
  const messages = [...run(1, 'one', stream('one', 'hello')), status('two', 'busy'), stream('two', 'first')];
  expect(messages.map((message) => journal.noteMessage(message).metadata['dgm'])).toEqual(
    messages.map(({ parent_header }) => ({ cellId: parent_header.msg_id, replayed: false })),
  );
  expect(types(journal.after())).toEqual(['busy', 'execute_input', 'hello', 'idle', 'busy', 'first']);
  expect(journal.after().every(({ metadata }) => (metadata['dgm'] as { replayed: boolean }).replayed)).toBe(true);
  expect(journal.executions().map(({ cellId, state, execution_count }) => [cellId, state, execution_count])).toEqual([
    ['one', 'done', 1],
    ['two', 'running', null],
  ]);
  journal.saved([cell('one', 7), cell('two', null)]);
  expect(journal.after()).toHaveLength(6); // the file has an earlier run of it
  journal.saved([cell('one', 1), cell('two', null)]);
  expect(types(journal.after())).toEqual(['busy', 'first']);
  journal.noteMessage(stream('one', 'a timer'));
  expect(types(journal.after())).toEqual(['busy', 'first', 'a timer']);
  journal.saved([]);
  expect(types(journal.after())).toEqual(['busy', 'first']); // both cells are gone, one still runs
});

test('what a cell printed before it was run again is not for it any more', () => {
  const journal = createJournal();
  journal.noteRequest(request('one'));
  for (const message of run(1, 'one', stream('one', 'old'))) journal.noteMessage(message);
  journal.noteRequest(request('two'));
  expect(journal.after()).toEqual([]);
  expect(journal.executions().map(({ state }) => state)).toEqual(['done', 'queued']);
});

test('law: a page that comes back has had each message once, wherever it left', () => {
  const journal = createJournal();
  journal.noteRequest(request('one'));
  const messages = run(1, 'one', ...Array.from({ length: 10 }, (_, i) => stream('one', String(i))));
  const numbers = messages.map((message) => (journal.noteMessage(message), journal.latest()));
  const all = types(journal.after());
  numbers.forEach((number, i) => expect([...all.slice(0, i + 1), ...types(journal.after(number))]).toEqual(all));
});

test('of a display that is drawn again, the last drawing; of one with another id, its own', () => {
  const journal = createJournal();
  journal.noteRequest(request('one'));
  const draw = (display_id: string, text: string) =>
    output('one', 'update_display_data', { text, transient: { display_id } });
  for (const message of [draw('x', '1'), draw('y', '2'), draw('x', '3'), draw('x', '4')]) journal.noteMessage(message);
  expect(types(journal.after())).toEqual(['2', '4']);
});

test('law: never more than the limit, the newest stay, and what is gone is counted where it was', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(400), { minLength: 1, maxLength: 60 }), (lengths) => {
      const journal = createJournal(2000);
      journal.noteRequest(request('one'));
      const outputs = lengths.map((length, i) => stream('one', `${i}:`.padEnd(length, '.')));
      for (const message of run(1, 'one', ...outputs)) journal.noteMessage(message);
      const kept = journal.after();
      const texts = kept.map(({ content }) => content['text']).filter((text) => text !== undefined) as string[];
      const [, gone = '0'] = /^\[(\d+) earlier messages/.exec(texts[0] ?? '') ?? [];
      const left = Number(gone) > 0 ? texts.slice(1) : texts;
      expect(left).toEqual(outputs.slice(Number(gone)).map(({ content }) => content['text']));
      expect(JSON.stringify(left).length).toBeLessThanOrEqual(2000);
      expect(types(kept).slice(0, 2)).toEqual(['busy', 'execute_input']);
    }),
  );
});
