/**
 * Makes HTML from a notebook harmless: what is left are tables and text, no script, no style sheet, no request. The
 * parsing and the walk are DOMPurify's, since both have traps that only those know who are attacked every day; what may
 * stay is said here.
 */
import type { Config } from 'dompurify';

const [TABLES, TEXT, BLOCKS] = [
  'table caption thead tbody tfoot tr th td colgroup col',
  'span br b strong i em u s sub sup small code kbd samp',
  'p div hr pre ul ol li dl dt dd blockquote h1 h2 h3 h4 h5 h6 details summary figure figcaption',
];

/** What may stay; the style's own rules are below. */
export const ELEMENTS = [TABLES, TEXT, BLOCKS].join(' ').split(' ');
export const ATTRIBUTES = ['title', 'scope', 'colspan', 'rowspan', 'role', 'aria-label', 'open', 'style'];

const STAYS: Config = {
  ALLOWED_TAGS: ELEMENTS,
  ALLOWED_ATTR: ATTRIBUTES,
  ALLOW_ARIA_ATTR: false,
  ALLOW_DATA_ATTR: false,
  /** An element that is not allowed is replaced by what is in it, but for these and those that DOMPurify adds. */
  ADD_FORBID_CONTENTS: ['object', 'embed', 'textarea', 'select'],
};

/** Nothing that can load a file, or lay itself over something else. */
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
  const [{ JSDOM, VirtualConsole }, { default: createDOMPurify }] = await Promise.all([
    import('jsdom'),
    import('dompurify'),
  ]);
  const virtualConsole = new VirtualConsole(); // which tells nobody of style sheets that do not parse
  const purifier = createDOMPurify(new JSDOM('', { virtualConsole }).window);
  if (!purifier.isSupported) throw new Error('DOMPurify does not work with this jsdom; npm ci installs one that fits');
  purifier.addHook('uponSanitizeAttribute', (_element, attribute) => {
    if (attribute.attrName === 'style') attribute.attrValue = harmless(attribute.attrValue);
  });
  return (html) => purifier.sanitize(html, STAYS);
}

function harmless(style: string): string {
  const rules = style.split(';').map((rule) => rule.split(':').map((part) => part.trim()));
  const kept = rules.filter(([name = '', value = '']) => Object.hasOwn(STYLES, name) && STYLES[name]!.test(value));
  return kept.map((rule) => rule.join(':')).join(';');
}
