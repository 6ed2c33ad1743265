import fc from 'fast-check';
import { JSDOM, VirtualConsole } from 'jsdom';
import { describe, expect, test } from 'vitest';
import { ATTRIBUTES, createSanitiser, ELEMENTS } from '../../../app/pages/sanitise';
import { CHROMIUM, launchBrowser } from '../browser-helpers';

// HTML of outputs. Whoever sends a notebook writes it; who opens the page must not run or fetch anything of theirs.

const clean = await createSanitiser();

/** Runs in any document: what is below this element that must not be. Self-contained, since a browser gets it as text. */
function strangers(root: ParentNode, elements: readonly string[], attributes: readonly string[]): string[] {
  const inside = (element: Element): string[] => {
    const within = [
      ...((element as HTMLTemplateElement).content?.children ?? []),
      ...(element.shadowRoot?.children ?? []),
    ];
    return [
      ...(elements.includes(element.localName) ? [] : [element.localName]),
      ...(element.namespaceURI === 'http://www.w3.org/1999/xhtml' ? [] : [String(element.namespaceURI)]),
      // an `is` cannot be taken away, only emptied: the element would go on to have it
      ...element
        .getAttributeNames()
        .filter((name) => !attributes.includes(name) && !(name === 'is' && element.getAttribute(name) === '')),
      ...(/url|expression|@|\\|position|:\/\//i.test(element.getAttribute('style') ?? '') ? ['style'] : []),
      ...within.flatMap(inside),
    ];
  };
  return [...root.querySelectorAll('*')].flatMap(inside);
}

const { window } = new JSDOM('', { virtualConsole: new VirtualConsole() });
const bodyOf = (html: string) => new window.DOMParser().parseFromString(html, 'text/html').body;
const strangersIn = (html: string) => strangers(bodyOf(html), ELEMENTS, ATTRIBUTES);

test('a table of ours stays as it is', () => {
  const table =
    '<table><caption style="text-align:left;caption-side:top">C</caption><tbody><tr><td style="text-align:right;font-variant-numeric:tabular-nums">1</td></tr></tbody></table>';
  expect(clean(table)).toBe(table);
});

test.each([
  ['<script>alert(1)</script>a', 'a'],
  ['<style>* { display: none }</style>a', 'a'],
  ['<img src=x onerror=alert(1)>a', 'a'],
  ['<b onclick="alert(1)">a</b>', '<b>a</b>'],
  ['<a href="http://x">a</a>', 'a'],
  ['<meta http-equiv="refresh" content="0;url=http://x">a', 'a'],
  ['<iframe src="http://x"></iframe>a', 'a'],
  ['<form action="http://x"><input name=q></form>a', 'a'],
  ['<svg><g onload="alert(1)"></g></svg>a', 'a'],
  ['<p style="background:url(http://x);text-align:left">a</p>', '<p style="text-align:left">a</p>'],
  ['<div class="figure">a</div>', '<div>a</div>'],
  ['<b style="color:#1a7f37;position:fixed;constructor:x">a</b>', '<b style="color:#1a7f37">a</b>'],
  ['<b style="color:url(http://x)">a</b>', '<b style="">a</b>'],
  ['<blink><b>a</b></blink>', '<b>a</b>'],
  ['<table><tr><td>a', '<table><tbody><tr><td>a</td></tr></tbody></table>'],
  ['</main></body><p>a', '<p>a</p>'],
])('%s', (html, expected) => expect(clean(html)).toBe(expected));

// Known attacks: OWASP's cheat sheet of filter evasion, html5sec.org, and the mutations of HTML that is parsed twice
// (Heiderich et al., "mXSS attacks", CCS 2013, and what was reported against sanitisers since)
const ATTACKS = [
  // what runs
  '<ScRiPt/x>alert(1)</sCrIpT >',
  '<scr<script>ipt>alert(1)</scr</script>ipt>',
  '<<script>alert(1)//<</script>',
  '<img src="x`` `<script>alert(1)</script>"` `>',
  '<img """><script>alert(1)</script>">',
  '<img src=/ onerror="alert(String.fromCharCode(88))"></img>',
  '<body onload=alert(1)>',
  '<details open ontoggle=alert(1)>a',
  '<div onpointerover="alert(1)" tabindex=1 autofocus onfocus=alert(1)>a</div>',
  '<video><source onerror=alert(1)></video>',
  '<audio src=x onerror=alert(1)>',
  '<input autofocus onfocus=alert(1)>',
  '<marquee onstart=alert(1)>a</marquee>',
  '<a href="jav&#x09;ascript:alert(1)">a</a>',
  '<a href="\x01javascript:alert(1)">a</a>',
  '<svg><a xlink:href="javascript:alert(1)"><text y=20>a</text></a></svg>',
  '<math href="javascript:alert(1)">a</math>',
  '<form action="javascript:alert(1)"><button>a</button></form><button form=f formaction="javascript:alert(1)">b',
  '<iframe srcdoc="<script>parent.alert(1)</script>"></iframe>',
  '<object data="data:text/html,<script>alert(1)</script>"></object>',
  '<embed src="javascript:alert(1)">',
  '<svg><animate onbegin=alert(1) attributeName=x dur=1s>',
  '<svg><set attributeName=href to="javascript:alert(1)"></svg>',
  '<svg><foreignObject><img src=x onerror=alert(1)></foreignObject></svg>',
  // what fetches
  '<table background="http://evil.test/t"><tr><td background="http://evil.test/d">a',
  '<link rel=stylesheet href="http://evil.test/s"><style>@import "http://evil.test/i";</style>',
  '<base href="http://evil.test/"><p>a',
  '<img srcset="http://evil.test/a 2x"><picture><source srcset="http://evil.test/b"><img></picture>',
  '<video poster="http://evil.test/p"></video>',
  '<p style="background-image:\\75rl(http://evil.test/c)">a',
  '<p style="color:red;background:image-set(\'http://evil.test/x\' 1x)">a',
  '<p style="list-style:url(http://evil.test/l);content:attr(x)">a',
  '<p style="color: red !important; --x: url(http://evil.test/v)">a',
  // what covers or names
  '<div style="position:fixed;inset:0;z-index:9">a</div>',
  '<form name=getElementById><input id=parentNode name=attributes></form><p id=content class=skip>a',
  '<p data-bind="alert(1)" aria-hidden=true is=x-y slot=z part=q>a',
  '<dialog open>a</dialog><button popovertarget=p>b</button><p popover id=p>c',
  // what parsers read differently the second time
  '<noscript><p title="</noscript><img src=x onerror=alert(1)>"></noscript>',
  '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
  '<svg></p><style><a id="</style><img src=1 onerror=alert(1)>">',
  '<form><math><mtext></form><form><mglyph><style></math><img src=x onerror=alert(1)>',
  '<math><annotation-xml encoding="text/html"><style><img src=x onerror=alert(1)></style></annotation-xml></math>',
  '<math><mi><table><mi><style><img src=x onerror=alert(1)></style>',
  '<svg><desc><noscript></svg><img src=x onerror=alert(1)></noscript>',
  '<svg><title><style><a title="</style></title><img src=x onerror=alert(1)>"></svg>',
  '<textarea><p title="</textarea><img src=x onerror=alert(1)>">',
  '<title><p title="</title><img src=x onerror=alert(1)>">',
  '<xmp><p title="</xmp><img src=x onerror=alert(1)>"></xmp>',
  '<noembed><p title="</noembed><img src=x onerror=alert(1)>">',
  '<noframes><p title="</noframes><img src=x onerror=alert(1)>">',
  '<select><style></select><img src=x onerror=alert(1)></style></select>',
  '<select><template><style><!--</style><a rel="--></style></template></select><img src=x onerror=alert(1)>">',
  '<template><script>alert(1)</script><img src=x onerror=alert(1)></template>',
  '<div><template shadowrootmode=open><img src=x onerror=alert(1)></template></div>',
  '<plaintext><img src=x onerror=alert(1)>',
  '<listing>&lt;img src=x onerror=alert(1)&gt;</listing>',
  '<!--><img src=x onerror=alert(1)>-->',
  '<!--[if gte IE 4]><script>alert(1)</script><![endif]-->',
  '<![CDATA[<img src=x onerror=alert(1)>]]><svg><![CDATA[><img src=x onerror=alert(1)>]]></svg>',
  '<?xml-stylesheet href="javascript:alert(1)"?><img src=x onerror=alert(1)>',
  '<p title="`<img src=x onerror=alert(1)>`">a</p>',
  '<b title="&quot;&gt;<img src=x onerror=alert(1)>">a</b>',
  '<pre>\n\n<listing>\n&lt;script&gt;alert(1)&lt;/script&gt;',
  'a\u0000<scr\u0000ipt>alert(1)</scr\u0000ipt><img\u0000src=x onerror=alert(1)>',
  `${'<div>'.repeat(600)}<img src=x onerror=alert(1)>`,
  `${'<svg><foreignObject>'.repeat(60)}<style><img title="</style><img src=x onerror=alert(1)>">`,
];

describe.each(ATTACKS)('%s', (html) => {
  test('leaves only what may stay', () => {
    expect(strangersIn(clean(html))).toEqual([]);
  });
});

test('law: whatever comes, only what may stay is left, and cleaning once is enough', () => {
  const name = fc.constantFrom(...ELEMENTS.slice(0, 8), ...'svg math style script template noscript select form mglyph mtext title textarea xmp a img iframe foreignObject annotation-xml desc'.split(' ')); // prettier-ignore
  const attribute = fc.constantFrom('', ' onerror=alert(1)', ' src=x', ' style="color:red;x:url(y)"', ' title="</style><img>"', ' id=a', ' encoding=text/html'); // prettier-ignore
  const tag = fc.oneof(
    fc.tuple(name, attribute).map(([element, more]) => `<${element}${more}>`),
    name.map((element) => `</${element}>`),
    fc.constantFrom('<!--', '-->', '<![CDATA[', ']]>', '"', "'", '`', '&lt;img src=x onerror=alert(1)&gt;', 'text', '\u0000'), // prettier-ignore
  );
  fc.assert(
    fc.property(fc.array(tag, { maxLength: 12 }), (tags) => {
      const once = clean(tags.join(''));
      expect(strangersIn(once)).toEqual([]);
      expect(clean(once)).toBe(once);
    }),
    { numRuns: 500, seed: 7 },
  );
});

test.skipIf(!CHROMIUM)(
  "a browser's own parser finds nothing else in it either, runs nothing and asks for nothing",
  async () => {
    const browser = await launchBrowser();
    try {
      const page = await browser.newPage();
      const requests: string[] = [];
      page.on('request', (request) => void requests.push(request.url()));
      page.on('dialog', (dialog) => void dialog.dismiss());
      const look = (html: string) =>
        page.evaluate(
          `((html, parsed) => {
          const strangers = ${strangers.toString()};
          const node = document.createElement('div');
          node.innerHTML = html;
          const ours = [${JSON.stringify(ELEMENTS)}, ${JSON.stringify(ATTRIBUTES)}];
          return [...strangers(node, ...ours), ...strangers(new DOMParser().parseFromString(html, 'text/html').body, ...ours)];
        })(${JSON.stringify(html)})`,
        ) as Promise<string[]>;
      // the look sees what it must see
      for (const html of ['<img src=x onerror=alert(1)>', '<svg></svg>', '<p style="background:url(x)">'])
        expect(await look(html)).not.toEqual([]);
      for (const html of ATTACKS) expect([html, await look(clean(html))]).toEqual([html, []]);
      requests.length = 0;
      const ran = () => page.evaluate('globalThis.ran ?? 0');
      const whole = (html: string) => `<!doctype html><script>globalThis.ran = 0; alert = () => ran++;</script>${html}`;
      await page.setContent(whole(ATTACKS.map(clean).join('\n')));
      expect(await ran()).toBe(0);
      expect(requests).toEqual([]);
      await page.setContent(whole('<img src=x: onerror=alert(1)>'));
      await expect.poll(ran).toBe(1); // what was not cleaned would have run
    } finally {
      await browser.close();
    }
  },
);
