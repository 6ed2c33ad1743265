/** Animations on paper. */
import { axesOf, panelAxes, panelTitle, type FigureSpec } from 'dgm/figures';

/** For a page that cannot move: the first, the middle and the last step side by side. */
export function sideBySide(figure: FigureSpec): FigureSpec {
  const { frames, layout } = figure;
  if (!frames) return figure;
  const steps = [frames[0]!, frames[Math.floor((frames.length - 1) / 2)]!, frames.at(-1)!];
  const chosen = steps.filter((frame, i) => steps.indexOf(frame) === i);
  const { xaxis, yaxis, ...rest } = layout;
  const { t = 24 } = (layout['margin'] ?? {}) as { t?: number };
  return {
    ...figure,
    data: chosen.flatMap(({ data }, i) => figure.data.map((trace, j) => ({ ...trace, ...data[j], ...axesOf(i) }))),
    layout: {
      ...rest,
      ...Object.assign({}, ...chosen.map((_, i) => stepAxes(xaxis as object, yaxis as object, i, chosen.length))),
      updatemenus: [],
      sliders: [],
      height: 320,
      margin: { l: 48, r: 24, t: t + 24, b: 48 },
      showlegend: false,
      annotations: chosen.map(({ name }, i) => panelTitle(name, i)),
    },
  };
}

/** The figure's own axes; where units are of one length both ways, they are in each panel. */
function stepAxes(x: object, y: object | undefined, i: number, steps: number): object {
  const equal = y && 'scaleanchor' in y ? { scaleanchor: axesOf(i).xaxis } : {};
  return panelAxes(i, steps, { x, y: { ...y, ...equal } });
}
