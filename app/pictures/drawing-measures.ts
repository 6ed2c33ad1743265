/** Sizes of SVG elements, for plotly in jsdom: it asks for those of texts and of groups of texts, jsdom knows none. */
import type { DOMWindow } from 'jsdom';

interface Font {
  readonly size: number;
  readonly bold: boolean;
  readonly italic: boolean;
}

export type TextWidth = (text: string, font: Font) => number;

/** Teaches the window's SVG elements to measure themselves. */
export function installMeasures(window: DOMWindow, textWidth: TextWidth): void {
  const box = boxes(textWidth);
  Object.assign(window.SVGElement.prototype, {
    getBBox(this: Element) {
      return box(this);
    },
    getComputedTextLength(this: Element) {
      return box(this).width;
    },
    getBoundingClientRect(this: Element) {
      const { left, top, right, bottom } = onPage(this, corners(box(this)));
      return { x: left, y: top, left, top, right, bottom, width: right - left, height: bottom - top };
    },
    getTotalLength: () => 100, // of contour lines, to place labels on them: we draw none
    getPointAtLength: (length: number) => ({ x: length, y: 0 }),
  });
}

/** What measuring looks at; jsdom's elements have it. */
interface Element {
  readonly nodeName: string;
  readonly textContent: string | null;
  readonly parentNode: Element | null;
  readonly childNodes: Iterable<Element>;
  readonly classList?: { contains(name: string): boolean };
  readonly style?: { readonly fontSize: string; readonly fontWeight: string; readonly fontStyle: string };
  getAttribute?(name: string): string | null;
}

/** In the element's own coordinates, as SVG's getBBox. */
interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

interface Corners {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

const NOTHING: Box = { x: 0, y: 0, width: 0, height: 0 };
const LINE_HEIGHT = 1.3; // plotly's
const ASCENT = 0.97; // Inter's, as a share of the font size
const PLAIN: Font = { size: 12, bold: false, italic: false };

function boxes(textWidth: TextWidth): (element: Element) => Box {
  const width = (node: Element, outer: Font): number => {
    if (node.nodeName === '#text') return textWidth(node.textContent ?? '', outer);
    const font = fontOf(node, outer);
    return [...node.childNodes].reduce((sum, child) => sum + width(child, font), 0);
  };
  const text = (node: Element): Box => {
    const font = fontOf(node, PLAIN);
    const lines = [...node.childNodes].filter((child) => child.classList?.contains('line'));
    const widest = lines.length > 0 ? Math.max(...lines.map((line) => width(line, font))) : width(node, PLAIN);
    const height = widest === 0 ? 0 : Math.max(1, lines.length) * LINE_HEIGHT * font.size;
    const anchor = node.getAttribute?.('text-anchor');
    const left = anchor === 'middle' ? widest / 2 : anchor === 'end' ? widest : 0;
    return { x: number(node, 'x') - left, y: number(node, 'y') - ASCENT * font.size, width: widest, height };
  };
  const box = (node: Element): Box => {
    if (node.nodeName === 'text' || node.nodeName === 'tspan') return text(node);
    if (node.nodeName === 'rect') return rectangle(node);
    const parts = [...node.childNodes].filter(({ nodeName }) => nodeName !== '#text');
    return parts.map((part) => toBox(moved(corners(box(part)), part))).reduce(union, NOTHING);
  };
  return box;
}

function rectangle(node: Element): Box {
  return { x: number(node, 'x'), y: number(node, 'y'), width: number(node, 'width'), height: number(node, 'height') };
}

function number(node: Element, name: string): number {
  return Number.parseFloat(node.getAttribute?.(name) ?? '0') || 0;
}

function union(a: Box, b: Box): Box {
  if (a.width === 0 && a.height === 0) return b;
  if (b.width === 0 && b.height === 0) return a;
  const [one, other] = [corners(a), corners(b)];
  return toBox({
    left: Math.min(one.left, other.left),
    top: Math.min(one.top, other.top),
    right: Math.max(one.right, other.right),
    bottom: Math.max(one.bottom, other.bottom),
  });
}

function corners({ x, y, width, height }: Box): Corners {
  return { left: x, top: y, right: x + width, bottom: y + height };
}

function toBox({ left, top, right, bottom }: Corners): Box {
  return { x: left, y: top, width: right - left, height: bottom - top };
}

function fontOf(node: Element, outer: Font): Font {
  const { fontSize = '', fontWeight = '', fontStyle = '' } = node.style ?? {};
  const given = Number.parseFloat(fontSize);
  const size = Number.isNaN(given) ? outer.size : fontSize.endsWith('%') ? (outer.size * given) / 100 : given;
  return {
    size,
    bold: fontWeight === '' ? outer.bold : fontWeight === 'bold' || Number(fontWeight) >= 600,
    italic: fontStyle === '' ? outer.italic : fontStyle === 'italic',
  };
}

// Transforms

/** As getBoundingClientRect: with the transforms of the element and of all that it is in. */
function onPage(element: Element, at: Corners): Corners {
  const here = moved(at, element);
  return element.parentNode?.getAttribute ? onPage(element.parentNode, here) : here;
}

function moved(at: Corners, element: Element): Corners {
  const transform = element.getAttribute?.('transform');
  if (!transform) return at;
  const steps = [...transform.matchAll(/(\w+)\(([^)]*)\)/g)].reverse(); // the last one written acts first
  return steps.reduce((box, [, name, list]) => step(box, name!, list!.split(/[\s,]+/).map(Number)), at);
}

function step(box: Corners, name: string, [a = 0, b, c]: readonly number[]): Corners {
  if (name === 'translate') return shift(box, a, b ?? 0);
  if (name === 'scale') return around(box, (x, y) => [a * x, (b ?? a) * y]);
  if (name !== 'rotate') return box;
  const [cos, sin] = [Math.cos((a * Math.PI) / 180), Math.sin((a * Math.PI) / 180)];
  const turned = around(shift(box, -(b ?? 0), -(c ?? 0)), (x, y) => [cos * x - sin * y, sin * x + cos * y]);
  return shift(turned, b ?? 0, c ?? 0);
}

function shift({ left, top, right, bottom }: Corners, x: number, y: number): Corners {
  return { left: left + x, top: top + y, right: right + x, bottom: bottom + y };
}

function around({ left, top, right, bottom }: Corners, map: (x: number, y: number) => [number, number]): Corners {
  const points = [map(left, top), map(right, top), map(left, bottom), map(right, bottom)];
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  return { left: Math.min(...xs), top: Math.min(...ys), right: Math.max(...xs), bottom: Math.max(...ys) };
}
