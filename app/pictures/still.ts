/** Animations on paper. */
import type { FigureSpec } from 'dgm/figures';

/** For a page that cannot move: the first, the middle and the last step side by side. */
export function still(figure: FigureSpec): FigureSpec {
  const { frames, layout } = figure;
  if (!frames) return figure;
  const chosen = [frames[0]!, frames[Math.floor((frames.length - 1) / 2)]!, frames.at(-1)!].filter(
    (frame, i, all) => all.indexOf(frame) === i,
  );
  const { xaxis, yaxis, ...rest } = layout;
  const panel = (i: number) => panelAxes(xaxis as object, yaxis as object, i, chosen.length);
  const { t = 24 } = (layout['margin'] ?? {}) as { t?: number };
  return {
    ...figure,
    data: chosen.flatMap(({ data }, i) => figure.data.map((trace, j) => ({ ...trace, ...data[j], ...axesOf(i) }))),
    layout: {
      ...rest,
      ...Object.assign({}, ...chosen.map((_frame, i) => panel(i))),
      updatemenus: [],
      sliders: [],
      height: 320,
      margin: { l: 48, r: 24, t: t + 24, b: 48 },
      showlegend: false,
      annotations: chosen.map(({ name }, i) => panelTitle(name, i)),
    },
  };
}

const suffix = (i: number): string => (i === 0 ? '' : String(i + 1));
const axesOf = (i: number) => ({ xaxis: `x${suffix(i)}`, yaxis: `y${suffix(i)}` });

function panelAxes(xaxis: object | undefined, yaxis: object | undefined, i: number, panels: number): object {
  const gap = 0.08;
  const size = (1 - gap * (panels - 1)) / panels;
  const left = i * (size + gap);
  const equal = yaxis && 'scaleanchor' in yaxis ? { scaleanchor: `x${suffix(i)}` } : {};
  return {
    [`xaxis${suffix(i)}`]: { ...xaxis, domain: [left, left + size], anchor: `y${suffix(i)}` },
    [`yaxis${suffix(i)}`]: { ...yaxis, ...equal, anchor: `x${suffix(i)}` },
  };
}

function panelTitle(text: string, i: number): object {
  const at = { xref: `x${suffix(i)} domain`, yref: `y${suffix(i)} domain`, x: 0, y: 1 };
  return { text, ...at, xanchor: 'left', yanchor: 'bottom', yshift: 4 };
}
