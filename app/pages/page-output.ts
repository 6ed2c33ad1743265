/** Outputs of cells as HTML. What comes from a notebook is never trusted: text is escaped, HTML is cleaned. */
import { attributesOf, escapeHtml, type FigureSpec, PLOTLY_MIME, scriptSafe } from 'dgm/figures';
import type { MimeData, Output } from 'dgm-jupyter';
import { formula, type Markdown } from './page-markdown';

export interface OutputContext {
  readonly markdown: Markdown;
  /** Makes HTML of a notebook harmless. */
  readonly clean: (html: string) => string;
}

export function outputHtml(output: Output, context: OutputContext): string {
  if (output.output_type === 'stream')
    return `<pre class="stream ${output.name === 'stderr' ? 'stderr' : ''}">${ansi(output.text)}</pre>`;
  if (output.output_type === 'error') {
    const trace = output.traceback.length > 0 ? output.traceback.join('\n') : `${output.ename}: ${output.evalue}`;
    return `<pre class="error" role="group" aria-label="Error">${ansi(trace)}</pre>`;
  }
  return bundleHtml(output.data, context);
}

const text = (data: MimeData, mime: string): string | undefined =>
  typeof data[mime] === 'string' ? data[mime] : undefined;

/** The richest format of a result that a page can show by itself. */
function bundleHtml(data: MimeData, { markdown, clean }: OutputContext): string {
  const alt = text(data, 'text/plain') ?? 'figure';
  if (isFigure(data[PLOTLY_MIME])) return figure(data[PLOTLY_MIME], alt, picture(data, alt));
  const html = text(data, 'text/html');
  if (html !== undefined) return `<div class="html">${clean(html)}</div>`;
  const drawn = picture(data, alt);
  if (drawn !== undefined) return drawn;
  const prose = text(data, 'text/markdown');
  if (prose !== undefined) return markdown.render(prose);
  const latex = text(data, 'text/latex');
  if (latex !== undefined) return formula(latex.replace(/^\s*\$+|\$+\s*$/g, ''), true);
  if ('application/json' in data) return `<pre>${escapeHtml(JSON.stringify(data['application/json'], null, 2))}</pre>`;
  return `<pre>${ansi(alt)}</pre>`;
}

function isFigure(value: unknown): value is FigureSpec {
  const figure = value as Partial<FigureSpec> | null | undefined;
  return typeof figure === 'object' && figure !== null && Array.isArray(figure.data);
}

function picture(data: MimeData, alt: string): string | undefined {
  const mime = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'].find((name) => text(data, name) !== undefined);
  if (!mime) return undefined;
  const base64 = text(data, mime)!.replace(/[^A-Za-z0-9+/=]/g, '');
  const width = mime === 'image/png' ? ` width="${pngWidth(base64) / 2}"` : ''; // our pictures have two pixels per point
  return `<img class="picture" src="data:${mime};base64,${base64}" alt="${escapeHtml(alt)}"${width}>`;
}

function pngWidth(base64: string): number {
  return Buffer.from(base64.slice(0, 40), 'base64').readUInt32BE(16);
}

/** Drawn by the page's script; without scripts the picture is seen. */
function figure(spec: FigureSpec, alt: string, drawn: string | undefined): string {
  const height = Number((spec.layout as Record<string, unknown> | undefined)?.['height']) || 400;
  return [
    `<div class="figure" ${attributesOf(spec.frames !== undefined)} aria-label="${escapeHtml(alt)}" style="min-height:${height}px">`,
    `<script type="application/json">${scriptSafe(JSON.stringify(spec))}</script></div>`,
    `<noscript>${drawn ?? `<p>${escapeHtml(alt)}</p>`}</noscript>`,
  ].join('');
}

const COLOUR_NAMES = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'];

/** Terminal text: colours and bold as classes, every other escape sequence left out. */
export function ansi(source: string): string {
  let style: { colour?: string; bold?: boolean } = {};
  const parts = source.split(/(\x1b\[[0-9;?]*[ -/]*[@-~])/);
  return parts
    .map((part) => {
      if (!part.startsWith('\x1b[')) return coloured(part, style);
      if (part.endsWith('m')) style = part.slice(2, -1).split(';').map(Number).reduce(styled, style);
      return '';
    })
    .join('');
}

type Style = { readonly colour?: string; readonly bold?: boolean };

function styled(style: Style, code: number): Style {
  if (code === 0) return {};
  if (code === 1) return { ...style, bold: true };
  const colour = COLOUR_NAMES[code % 10];
  const foreground = (code >= 30 && code <= 37) || (code >= 90 && code <= 97);
  return foreground && colour ? { ...style, colour } : style;
}

function coloured(part: string, { colour, bold }: Style): string {
  if (part === '') return '';
  const classes = [colour && `ansi-${colour}`, bold && 'ansi-bold'].filter(Boolean).join(' ');
  return classes ? `<span class="${classes}">${escapeHtml(part)}</span>` : escapeHtml(part);
}
