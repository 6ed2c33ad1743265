/** The outputs of a cell, built from the messages of a kernel the way a notebook shows them. */
import type { Metadata, MimeData, Output } from './notebook';

export interface OutputList {
  readonly items: readonly Output[];
  /** Takes one message of the kernel's output channel; others are ignored. */
  apply(type: string, content: Readonly<Record<string, unknown>>): void;
}

/** The displays of a kernel by their id, since any cell may update them. */
export interface Displays {
  add(id: string, replace: (data: MimeData, metadata: Metadata) => void): void;
  update(id: string, data: MimeData, metadata: Metadata): void;
}

export function createDisplays(): Displays {
  const byId = new Map<string, ((data: MimeData, metadata: Metadata) => void)[]>();
  return {
    add: (id, replace) => void byId.set(id, [...(byId.get(id) ?? []), replace]),
    update: (id, data, metadata) => byId.get(id)?.forEach((replace) => replace(data, metadata)),
  };
}

/** @param onOutput called when an output is added or changed */
export function createOutputs(
  displays: Displays,
  onOutput: (output: Output, outputs: readonly Output[]) => void,
): OutputList {
  const items: Output[] = [];
  let clearFirst = false;

  function put(output: Output, index = items.length): void {
    items[index] = output;
    onOutput(output, items);
  }

  function add(output: Output): void {
    if (clearFirst) items.length = 0;
    clearFirst = false;
    const last = items.at(-1);
    if (output.output_type === 'stream' && last?.output_type === 'stream' && last.name === output.name)
      put({ ...last, text: last.text + output.text }, items.length - 1);
    else put(output);
  }

  function remember(id: unknown, output: Output): void {
    if (typeof id !== 'string') return;
    let current = output;
    displays.add(id, (data, metadata) => {
      const index = items.indexOf(current);
      if (index < 0) return; // cleared meanwhile
      current = { ...current, data, metadata } as Output;
      put(current, index);
    });
  }

  function apply(type: string, content: Readonly<Record<string, unknown>>): void {
    const id = (content['transient'] as { display_id?: unknown } | undefined)?.display_id;
    if (type === 'update_display_data')
      return displays.update(String(id), content['data'] as MimeData, (content['metadata'] ?? {}) as Metadata);
    if (type === 'clear_output') {
      clearFirst = content['wait'] === true;
      if (!clearFirst) items.length = 0;
    }
    const output = outputOf(type, content);
    if (!output) return;
    add(output);
    remember(id, output);
  }

  return { items, apply };
}

function outputOf(type: string, content: Readonly<Record<string, unknown>>): Output | null {
  const { name, text, data = {}, metadata = {}, execution_count = null, ename, evalue, traceback } = content;
  const bundle = { data: data as MimeData, metadata: metadata as Metadata };
  switch (type) {
    case 'stream':
      return { output_type: 'stream', name: name as 'stdout', text: text as string };
    case 'display_data':
      return { output_type: 'display_data', ...bundle };
    case 'execute_result':
      return { output_type: 'execute_result', execution_count: execution_count as number | null, ...bundle };
    case 'error':
      return { output_type: 'error', ename: String(ename), evalue: String(evalue), traceback: traceback as string[] };
    default:
      return null;
  }
}
