/** The desk's one page, and the headers that shut it in. */
import { escapeHtml, scriptSafe } from 'dgm/figures';
import type { PageConfiguration } from './protocol';

/** What the page may load: itself, and nothing from anywhere else, so that no request leaves the machine. */
export const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'", // formulas and editors set styles
  "img-src 'self' data: blob:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "worker-src 'self' blob:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** What is not that page loads nothing at all. */
const SHUT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";

/** A file of the reader's, opened as a page, is no page of ours: it runs nothing, and its origin is its own. */
export const FILE_POLICY = `${SHUT_POLICY}; sandbox`;

export const SAFE_HEADERS: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': SHUT_POLICY,
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
};

/** @param notebookPath relative to the notebooks' folder; empty for none */
export function deskPage(notebookPath: string): string {
  const configuration: PageConfiguration = {
    baseUrl: '/',
    wsUrl: '',
    token: '',
    appUrl: '/lab',
    notebookPath,
    fullLabextensionsUrl: '/lab/extensions',
  };
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escapeHtml(notebookPath.replace(/\.ipynb$/, '') || 'Workbook')}</title>`,
    '<link rel="icon" href="data:,">',
    '<link rel="stylesheet" href="/static/app.css">',
    `<script id="jupyter-config-data" type="application/json">${scriptSafe(JSON.stringify(configuration))}</script>`,
    '</head>',
    '<body>',
    '<noscript>The workbook needs JavaScript.</noscript>',
    '<script type="module" src="/static/app.js"></script>',
    '</body>',
    '</html>\n',
  ].join('\n');
}

/**
 * Answers an address that holds the token: leads to the same one without it, so that the token stays in no history
 * and no bookmark. A redirection by status would not do: to its target, browsers send no cookie of the kind `Strict`
 * when the address was opened from elsewhere.
 */
export function withoutToken(address: string): string {
  return messagePage(
    'Workbook',
    'Opening the workbook.',
    `<meta http-equiv="refresh" content="0;url=${escapeHtml(address)}">`,
  );
}

/** @param more HTML below the text */
export function messagePage(title: string, text: string, head = '', more = ''): string {
  return [
    `<!doctype html><html lang="en"><meta charset="utf-8">${head}`,
    `<title>${escapeHtml(title)}</title><body style="font-family: sans-serif; margin: 3em"><p>${escapeHtml(text)}</p>${more}</body></html>\n`,
  ].join('\n');
}
