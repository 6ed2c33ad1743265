/** Makes HTML from a notebook harmless: what is left are tables and text, no script, no style sheet, no request. */

const ELEMENTS = new Set(
  'table caption thead tbody tfoot tr th td colgroup col p div span br hr b strong i em u s sub sup small code pre kbd samp ul ol li dl dt dd blockquote h1 h2 h3 h4 h5 h6 details summary figure figcaption'.split(
    ' ',
  ),
);
const DROPPED = new Set([
  'script',
  'style',
  'template',
  'iframe',
  'object',
  'embed',
  'svg',
  'math',
  'noscript',
  'title',
  'textarea',
]);
const ATTRIBUTES = new Set(['title', 'scope', 'colspan', 'rowspan', 'role', 'aria-label', 'open']);
// Nothing that can load a file, or lay itself over something else
const STYLES: Readonly<Record<string, RegExp>> = {
  'text-align': /^(left|right|center)$/,
  'vertical-align': /^(top|middle|bottom|baseline)$/,
  'font-variant-numeric': /^tabular-nums$/,
  'font-weight': /^(normal|bold|[1-9]00)$/,
  'caption-side': /^(top|bottom)$/,
  'white-space': /^(normal|nowrap|pre|pre-wrap)$/,
  border: /^none$/,
  color: /^(#[0-9a-f]{3,8}|[a-z]+)$/i,
  'background-color': /^(#[0-9a-f]{3,8}|[a-z]+)$/i,
  padding: /^0 0\.3em$/,
};

/** Loads the HTML parser; the function it gives cleans one fragment. */
export async function createSanitiser(): Promise<(html: string) => string> {
  const { JSDOM, VirtualConsole } = await import('jsdom');
  const virtualConsole = new VirtualConsole(); // which tells nobody of style sheets that do not parse
  return (html) => {
    const body = new JSDOM(`<!doctype html><body>${html}`, { virtualConsole }).window.document.body;
    for (const child of [...body.children]) clean(child);
    return body.innerHTML;
  };
}

/** Elements that we do not know are replaced by what is in them. */
function clean(element: Element): void {
  if (DROPPED.has(element.localName)) return element.remove();
  for (const child of [...element.children]) clean(child);
  if (!ELEMENTS.has(element.localName)) return element.replaceWith(...element.childNodes);
  for (const { name, value } of [...element.attributes]) {
    if (name === 'style') element.setAttribute('style', harmless(value));
    else if (!ATTRIBUTES.has(name)) element.removeAttribute(name);
  }
}

function harmless(style: string): string {
  const rules = style.split(';').map((rule) => rule.split(':').map((part) => part.trim()));
  const kept = rules.filter(([name = '', value = '']) => Object.hasOwn(STYLES, name) && STYLES[name]!.test(value));
  return kept.map((rule) => rule.join(':')).join(';');
}
