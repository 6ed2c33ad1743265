/** The look of a chapter as a page: light and dark as the reader's system is set, and fit to print. */
export const STYLE = `
:root {
  --ink: #1f2328; --faint: #59636e; --paper: #ffffff; --panel: #f6f8fa; --line: #d8dee4; --link: #0b5cad;
  --keyword: #a3263c; --string: #0a6640; --number: #0b5cad; --comment: #66707a; --title: #6a3fb5; --type: #8a4b08;
  --error: #fff1f0; --error-line: #d1504f; --red: #b3261e; --green: #116329; --yellow: #7d5700; --blue: #0b5cad; --magenta: #8b2c8b; --cyan: #0d6570;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --ink: #e3e6ea; --faint: #9ba3ad; --paper: #15181c; --panel: #1e2227; --line: #353b43; --link: #79b8ff;
    --keyword: #ff8fa3; --string: #7fd6a4; --number: #8cc2ff; --comment: #98a1ab; --title: #c9a7ff; --type: #ffb777;
    --error: #33191a; --error-line: #d1504f; --red: #ff8a80; --green: #7fd6a4; --yellow: #e6c15c; --blue: #79b8ff; --magenta: #e3a0e3; --cyan: #76d0da;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
@media (prefers-reduced-motion: no-preference) { html { scroll-behavior: smooth; } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 17px/1.62 Inter, system-ui, -apple-system, "Segoe UI", "Liberation Sans", sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2.5rem 1.25rem 5rem; }
h1, h2, h3, h4 { line-height: 1.25; margin: 2.2em 0 0.6em; text-wrap: balance; }
h1 { font-size: 2.1rem; margin-top: 0.5em; } h2 { font-size: 1.5rem; padding-top: 0.6em; border-top: 1px solid var(--line); } h3 { font-size: 1.2rem; } h4 { font-size: 1rem; }
p, ul, ol, blockquote, table { margin: 0 0 1em; }
.skip { position: absolute; left: -100rem; } .skip:focus { left: 1rem; top: 1rem; padding: 0.4rem 0.8rem; background: var(--paper); z-index: 1; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
a { color: var(--link); text-underline-offset: 0.15em; }
img { max-width: 100%; height: auto; }
blockquote { margin-left: 0; padding-left: 1rem; border-left: 3px solid var(--line); color: var(--faint); }
code, pre { font-family: ui-monospace, SFMono-Regular, "JetBrains Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 13.3px; }
:not(pre) > code { font-size: 0.86em; background: var(--panel); padding: 0.1em 0.3em; border-radius: 4px; overflow-wrap: anywhere; }
pre { margin: 0 0 1em; padding: 0.8rem 1rem; overflow-x: auto; line-height: 1.5; border-radius: 6px; background: var(--panel); tab-size: 2; }
pre code { font-size: inherit; }
table { border-collapse: collapse; display: block; max-width: 100%; overflow-x: auto; font-size: 0.92em; }
th, td { padding: 0.3em 0.9em; border-bottom: 1px solid var(--line); vertical-align: top; }
th { border-bottom-width: 2px; }
caption { padding: 0 0 0.5em; font-weight: 600; white-space: nowrap; }
.text { max-width: 46rem; }
.cell { margin: 0 0 1.4em; }
pre.code { border: 1px solid var(--line); }
.outputs { margin-top: 0.6em; padding-left: 1rem; border-left: 3px solid var(--line); }
.outputs > * { margin-bottom: 0.8em; }
.outputs pre { background: none; padding: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.outputs pre.stderr { color: var(--faint); }
.outputs pre.error { background: var(--error); border-left: 4px solid var(--error-line); padding: 0.8rem 1rem; }
.picture { background: #fff; border-radius: 4px; }
.figure { overflow-x: auto; }
.katex { font-size: 1.08em; }
.katex-display { overflow-x: auto; overflow-y: hidden; padding: 0.2em 0; }
.bad-formula { outline: 1px dashed var(--error-line); }
.ansi-bold { font-weight: 700; } .ansi-red { color: var(--red); } .ansi-green { color: var(--green); } .ansi-yellow { color: var(--yellow); }
.ansi-blue { color: var(--blue); } .ansi-magenta { color: var(--magenta); } .ansi-cyan { color: var(--cyan); } .ansi-black, .ansi-white { color: var(--faint); }
.hljs-comment { color: var(--comment); font-style: italic; } .hljs-keyword, .hljs-literal { color: var(--keyword); } .hljs-string, .hljs-regexp { color: var(--string); }
.hljs-number { color: var(--number); } .hljs-title, .hljs-section { color: var(--title); } .hljs-type, .hljs-built_in, .hljs-attr { color: var(--type); }
nav { font-size: 0.88rem; line-height: 1.4; max-width: 60rem; margin: 1.5rem auto 0; padding: 0 1.25rem; }
nav summary { font-weight: 600; cursor: pointer; }
nav ol { list-style: none; margin: 0.6em 0 0; padding: 0; max-height: 9rem; overflow-y: auto; }
nav li { margin: 0.35em 0; } nav .level3 { padding-left: 1em; }
nav a { color: var(--faint); text-decoration: none; } nav a:hover, nav a:focus { color: var(--link); text-decoration: underline; }
@media (min-width: 79rem) {
  nav { position: fixed; top: 0; left: 0; width: 16rem; max-height: 100vh; overflow-y: auto; margin: 0; padding: 2rem 1rem 2rem 1.5rem; }
  nav ol { max-height: none; }
  main { margin-left: max(17rem, calc(50vw - 30rem)); margin-right: 1rem; }
}
@media print {
  :root { --ink: #000; --faint: #333; --paper: #fff; --panel: #fff; --line: #bbb; }
  body { font-size: 10.5pt; } main, .text { max-width: none; padding: 0; } nav { display: none; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; } h1, h2, h3, h4 { break-after: avoid; } .figure, .picture, table, pre.error { break-inside: avoid; }
  .figure .main-svg text { fill: #000 !important; } .figure .modebar { display: none; }
}
`;
