/** The notebook's buttons, with the keys that do the same, and the kernel's state. */
import type { NotebookPanel } from '@jupyterlab/notebook';
import {
  addBelowIcon,
  deleteIcon,
  downloadIcon,
  fastForwardIcon,
  keyboardIcon,
  type LabIcon,
  moveDownIcon,
  moveUpIcon,
  refreshIcon,
  runIcon,
  saveIcon,
  stopIcon,
  undoIcon,
} from '@jupyterlab/ui-components';
import type { CommandName, createCommands } from './commands';
import { button, element } from './elements';

/** Command, icons, hint, whether the button shows its label; a group a line. */
const GROUPS: readonly (readonly (readonly [CommandName, readonly LabIcon[], string, 'label' | 'icon'])[])[] = [
  [
    ['save', [saveIcon], 'Save (Ctrl-S); by itself every half minute', 'label'],
    ['download', [downloadIcon], 'Download this notebook, as it is saved, as one HTML page', 'icon'],
  ],
  [
    ['run', [runIcon], 'Run this cell (Shift-Enter)', 'label'],
    ['runAll', [fastForwardIcon], 'Run all cells', 'label'],
    ['stop', [stopIcon], 'Stop what runs (I, I)', 'label'],
    ['restart', [refreshIcon], 'Restart the kernel (0, 0)', 'label'],
    ['restartAndRunAll', [refreshIcon, fastForwardIcon], 'Restart the kernel and run all cells', 'label'],
  ],
  [
    ['addBelow', [addBelowIcon], 'Add a cell below (B)', 'icon'],
    ['moveUp', [moveUpIcon], 'Move the cell up (Ctrl-Shift-Up)', 'icon'],
    ['moveDown', [moveDownIcon], 'Move the cell down (Ctrl-Shift-Down)', 'icon'],
    ['remove', [deleteIcon], 'Delete the cell (D, D)', 'icon'],
    ['undo', [undoIcon], 'Undo, deleted cells too (Z)', 'icon'],
  ],
  [['keys', [keyboardIcon], 'The keys of this page (H)', 'icon']],
];

export function createToolbar(panel: NotebookPanel, commands: ReturnType<typeof createCommands>): HTMLElement {
  const node = element('div', { class: 'dgm-toolbar', role: 'toolbar', 'aria-label': 'Notebook' });
  for (const group of GROUPS) {
    const buttons = group.map(([name, icons, title, shown]) => {
      const { label, execute } = commands[name];
      const pictures = element('span', { class: 'dgm-icons', 'aria-hidden': 'true' });
      pictures.append(...icons.map((icon) => icon.element({ tag: 'span' })));
      const text = shown === 'label' ? [element('span', {}, label)] : [];
      const one = button({ title, 'aria-label': label, 'data-command': name }, execute, pictures, ...text);
      one.addEventListener('mousedown', (event) => event.preventDefault()); // the cell keeps the focus
      return one;
    });
    node.append(element('span', { class: 'dgm-group' }, ...buttons));
  }
  node.append(cellType(panel, commands));
  return node;
}

function cellType({ content }: NotebookPanel, commands: ReturnType<typeof createCommands>): HTMLElement {
  const options = (['code', 'markdown'] as const).map((value) => element('option', { value }, commands[value].label));
  const select = element('select', { 'aria-label': 'Type of the cell', title: 'Type of the cell (Y, M)' }, ...options);
  const show = (): void => {
    select.value = content.activeCell?.model.type ?? 'code';
    select.disabled = content.activeCell?.model.getMetadata('editable') === false;
  };
  select.addEventListener('change', () => {
    void commands[select.value as 'code' | 'markdown'].execute();
    content.node.focus();
  });
  content.activeCellChanged.connect(show);
  content.modelContentChanged.connect(show);
  show();
  return select;
}
