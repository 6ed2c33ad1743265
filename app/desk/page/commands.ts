/** What the reader can do in a notebook, by the keys of Jupyter. */
import { toggleComment } from '@codemirror/commands';
import type { YNotebook } from '@jupyter/ydoc';
import type { CodeMirrorEditor } from '@jupyterlab/codemirror';
import { type Notebook, NotebookActions, type NotebookPanel } from '@jupyterlab/notebook';
import { CommandRegistry } from '@lumino/commands';
import { element } from './elements';
import type { Completion, Signatures } from './help';
import { restart } from './kernel';
import { showKeys, type KeyGroup } from './keys';
import type { Saving } from './saving';
import { pageAddress } from './server';

interface Command {
  readonly label: string;
  readonly execute: () => unknown;
  /** For the whole notebook, or by the mode that they need. */
  readonly keys?: readonly string[];
  readonly commandKeys?: readonly string[];
  readonly editKeys?: readonly string[];
}

const NOTEBOOK = '.jp-Notebook';
const COMMAND_MODE = '.jp-Notebook.jp-mod-commandMode:not(.jp-mod-readWrite) :focus:not(:read-write)';
const EDIT_MODE = '.jp-Notebook.jp-mod-editMode';

export type CommandName = keyof ReturnType<typeof commandsOf>;

interface Help {
  readonly completion: Completion;
  readonly signatures: Signatures;
}

export function createCommands(panel: NotebookPanel, saving: Saving, { completion, signatures }: Help) {
  const commands = commandsOf(panel, saving);
  const registry = new CommandRegistry();
  for (const [id, command] of Object.entries<Command>(commands)) {
    registry.addCommand(id, { label: command.label, execute: command.execute });
    bind(registry, id, [command.keys, 'body'], [command.commandKeys, COMMAND_MODE], [command.editKeys, EDIT_MODE]);
  }
  addHelp(registry, completion, signatures);
  document.addEventListener('keydown', (event) => registry.processKeydownEvent(event), true);
  document.addEventListener('beforeinput', (event) => keepFromBrowser(event, commands), true);
  return commands;
}

/** The browser's own undo, in its menus, goes back over what the editor has drawn: it would garble the text. */
function keepFromBrowser(event: InputEvent, { undoTyping, redoTyping }: ReturnType<typeof commandsOf>): void {
  const command = new Map<string, Command>([
    ['historyUndo', undoTyping],
    ['historyRedo', redoTyping],
  ]).get(event.inputType);
  if (!command || !(event.target as Element).closest(NOTEBOOK)) return;
  event.preventDefault();
  command.execute();
}

function bind(
  registry: CommandRegistry,
  command: string,
  ...groups: readonly (readonly [readonly string[] | undefined, string])[]
): void {
  for (const [keys = [], selector] of groups)
    for (const one of keys) registry.addKeyBinding({ command, selector, keys: one.split(', ') });
}

function commandsOf(panel: NotebookPanel, { save }: Saving) {
  const { content, sessionContext, context } = panel;
  const act = (action: (notebook: Notebook) => unknown) => () => action(content);
  /** Undone by itself, not with what was done shortly before. */
  const step = (action: (notebook: Notebook) => unknown) => () => {
    (content.model?.sharedModel as YNotebook | undefined)?.undoManager.stopCapturing();
    return action(content);
  };
  const typing = (action: (editor: CodeMirrorEditor) => unknown) => () => {
    const { editor } = content.activeCell ?? {};
    if (editor) action(editor as CodeMirrorEditor);
  };
  const type = (name: 'code' | 'markdown') => step((notebook) => NotebookActions.changeCellType(notebook, name));
  const again = () => restart(sessionContext);
  const runAll = () => NotebookActions.runAll(content, sessionContext);
  const commands = {
    save: { label: 'Save', execute: save, keys: ['Accel S'] },
    download: { label: 'Download as HTML', execute: () => download(panel, save) },
    // the type is written, as it is that of the commands, which are not known here yet
    keys: { label: 'Keys', execute: (): void => showKeys(keysOf(commands)), commandKeys: ['H'] },
    run: both('Run', 'Shift Enter', () => NotebookActions.runAndAdvance(content, sessionContext)),
    runHere: both('Run and stay', 'Accel Enter', () => NotebookActions.run(content, sessionContext)),
    runInsert: both('Run and insert', 'Alt Enter', () => NotebookActions.runAndInsert(content, sessionContext)),
    runAll: { label: 'Run all', execute: runAll },
    stop: { label: 'Stop', execute: () => sessionContext.session?.kernel?.interrupt(), commandKeys: ['I, I'] },
    restart: { label: 'Restart', execute: again, commandKeys: ['0, 0'] },
    restartAndRunAll: {
      label: 'Restart and run all',
      execute: async () => {
        if (await again()) await runAll();
      },
    },
    addAbove: { label: 'Add cell above', execute: step(NotebookActions.insertAbove), commandKeys: ['A'] },
    addBelow: { label: 'Add cell below', execute: step(NotebookActions.insertBelow), commandKeys: ['B'] },
    moveUp: { label: 'Move cell up', execute: step(NotebookActions.moveUp), commandKeys: ['Ctrl Shift ArrowUp'] },
    moveDown: {
      label: 'Move cell down',
      execute: step(NotebookActions.moveDown),
      commandKeys: ['Ctrl Shift ArrowDown'],
    },
    remove: { label: 'Delete cell', execute: step(NotebookActions.deleteCells), commandKeys: ['D, D'] },
    undo: { label: 'Undo', execute: act(NotebookActions.undo), commandKeys: ['Z'] },
    redo: { label: 'Redo', execute: act(NotebookActions.redo), commandKeys: ['Shift Z'] },
    cut: { label: 'Cut cell', execute: step(NotebookActions.cut), commandKeys: ['X'] },
    copy: { label: 'Copy cell', execute: act(NotebookActions.copy), commandKeys: ['C'] },
    paste: {
      label: 'Paste cell',
      execute: step((notebook) => NotebookActions.paste(notebook)),
      commandKeys: ['V'],
    },
    code: { label: 'Code', execute: type('code'), commandKeys: ['Y'] },
    markdown: { label: 'Markdown', execute: type('markdown'), commandKeys: ['M'] },
    above: { label: 'Cell above', execute: act(NotebookActions.selectAbove), commandKeys: ['ArrowUp', 'K'] },
    below: { label: 'Cell below', execute: act(NotebookActions.selectBelow), commandKeys: ['ArrowDown', 'J'] },
    edit: { label: 'Edit', execute: act((notebook) => (notebook.mode = 'edit')), commandKeys: ['Enter'] },
    undoTyping: { label: 'Undo typing', execute: typing((editor) => editor.undo()), editKeys: ['Accel Z'] },
    redoTyping: {
      label: 'Redo typing',
      execute: typing((editor) => editor.redo()),
      editKeys: ['Accel Shift Z', 'Accel Y'],
    },
    comment: {
      label: 'Comment lines in or out',
      execute: typing((editor) => editor.execCommand(toggleComment)),
      editKeys: ['Accel /'],
    },
    leave: { label: 'Leave the editor', execute: act(leaveEditor), editKeys: ['Escape', 'Ctrl M'] },
    revert: { label: 'Revert', execute: () => context.revert() },
  };
  return commands;
}

/** Of what is on the disk, so it is saved before; not when that failed, which has been said. */
async function download(panel: NotebookPanel, save: Saving['save']): Promise<void> {
  const { model, path } = panel.context;
  if (model.dirty) await save();
  if (!model.dirty) element('a', { href: pageAddress(path), download: '' }).click();
}

/** What has keys, by where they act. */
function keysOf(commands: Readonly<Record<string, Command>>): KeyGroup[] {
  const all = Object.values(commands);
  const rows = (keysIn: (command: Command) => readonly string[] | undefined) =>
    all.flatMap((command) => (keysIn(command) ? [{ label: command.label, keys: keysIn(command)! }] : []));
  return [
    { title: 'Anywhere', rows: rows(({ keys }) => keys) },
    { title: 'While no editor has the cursor', rows: rows(({ commandKeys }) => commandKeys) },
    { title: 'While you write in a cell', rows: [...rows(({ editKeys }) => editKeys), ...HELP_KEYS] },
  ];
}

const HELP_KEYS: KeyGroup['rows'] = [
  { label: 'Complete a name', keys: ['Tab'] },
  { label: 'What a function takes', keys: ['Shift Tab'] },
];

function both(label: string, key: string, execute: () => unknown): Command {
  return { label, execute, commandKeys: [key], editKeys: [key] };
}

function leaveEditor(notebook: Notebook): void {
  notebook.mode = 'command';
  notebook.node.focus();
}

function addHelp(registry: CommandRegistry, completion: Completion, signatures: Signatures): void {
  const editor = `${EDIT_MODE} .jp-InputArea-editor`;
  const add = (command: string, key: string, selector: string, execute: () => unknown): void => {
    registry.addCommand(command, { execute });
    registry.addKeyBinding({ command, keys: [key], selector });
  };
  add('complete', 'Tab', `${NOTEBOOK} .jp-mod-completer-enabled`, completion.invoke);
  add('complete-select', 'Enter', `${NOTEBOOK} .jp-mod-completer-active`, completion.select);
  const inCode = ':not(.jp-mod-has-primary-selection):not(.jp-mod-in-leading-whitespace):not(.jp-mod-completer-active)';
  add('signature', 'Shift Tab', `${editor}${inCode}`, signatures.show);
  add('signature-hide', 'Escape', `body.jp-mod-tooltip ${NOTEBOOK}`, signatures.hide);
}
