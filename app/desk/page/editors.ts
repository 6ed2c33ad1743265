/** Editors of cells: TypeScript and Markdown, with JupyterLab's keys and colours. */
import { markdown } from '@codemirror/lang-markdown';
import {
  CodeMirrorEditorFactory,
  CodeMirrorMimeTypeService,
  EditorExtensionRegistry,
  EditorLanguageRegistry,
  EditorThemeRegistry,
  ybinding,
} from '@jupyterlab/codemirror';
import type { IYText } from '@jupyter/ydoc';

const LANGUAGES = ['typescript', 'javascript', 'json', 'html', 'css', 'shell'];
/** JupyterLab's name for the language of Markdown cells. */
const CELL_MARKDOWN = 'ipythongfm';

export function createEditors() {
  const languages = createLanguages();
  const themes = new EditorThemeRegistry();
  for (const theme of EditorThemeRegistry.getDefaultThemes()) themes.addTheme(theme);
  const extensions = new EditorExtensionRegistry();
  for (const extension of EditorExtensionRegistry.getDefaultExtensions({ themes })) extensions.addExtension(extension);
  extensions.addExtension({
    name: 'shared-model-binding',
    factory: ({ model }) => {
      const { ysource, undoManager } = model.sharedModel as IYText;
      const binding = ybinding({ ytext: ysource, ...(undoManager && { undoManager }) });
      return EditorExtensionRegistry.createImmutableExtension(binding);
    },
  });
  const factory = new CodeMirrorEditorFactory({ extensions, languages });
  return { languages, factory, mimeTypes: new CodeMirrorMimeTypeService(languages) };
}

function createLanguages(): EditorLanguageRegistry {
  const languages = new EditorLanguageRegistry();
  for (const language of EditorLanguageRegistry.getDefaultLanguages())
    if (LANGUAGES.includes(language.name.toLowerCase())) languages.addLanguage(language);
  const codeLanguages = (info: string) => languages.findBest(info) as never;
  languages.addLanguage({
    name: CELL_MARKDOWN,
    mime: 'text/x-ipythongfm',
    load: () => Promise.resolve(markdown({ codeLanguages })),
  });
  return languages;
}
