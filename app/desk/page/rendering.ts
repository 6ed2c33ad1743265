/** How outputs and Markdown cells become HTML. */
import type { EditorLanguageRegistry } from '@jupyterlab/codemirror';
import { createMarkdownParser } from '@jupyterlab/markedparser-extension';
import { MathJaxTypesetter } from '@jupyterlab/mathjax-extension';
import { RenderMimeRegistry, standardRendererFactories } from '@jupyterlab/rendermime';
import type { Appearance } from './appearance';
import { plotlyFactory } from './plotly';

export function createRendering(languages: EditorLanguageRegistry, appearance: Appearance): RenderMimeRegistry {
  const rendermime = new RenderMimeRegistry({
    initialFactories: standardRendererFactories,
    latexTypesetter: new MathJaxTypesetter(),
    markdownParser: createMarkdownParser(languages),
  });
  rendermime.addFactory(plotlyFactory(appearance), 0); // before the HTML that a figure brings for other pages
  return rendermime;
}
