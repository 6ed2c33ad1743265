/**
 * The look of every figure. One theme for light and dark pages: no background of its own, greys in the middle,
 * and series colours that stand out from white and from black (contrast 3 : 1 or more, WCAG 1.4.11), in an
 * order that colour-blind readers can tell apart (after Okabe and Ito, 2008).
 */

export const COLOURS = [
  '#2f7fd1',
  '#d9701a',
  '#159673',
  '#bf5fa8',
  '#a58314',
  '#7d6fdc',
  '#d1504f',
  '#2596ad',
] as const;

export const INK = '#808080'; // text where nobody tells the colour of the page: 3.9 : 1 on white, 5.3 : 1 on black
const GRID = 'rgba(128,128,128,0.22)';
const LINE = 'rgba(128,128,128,0.55)';

const axis = {
  automargin: true,
  gridcolor: GRID,
  linecolor: LINE,
  tickcolor: LINE,
  zeroline: false,
  showline: true,
  ticks: 'outside',
  ticklen: 4,
  title: { standoff: 10, font: { size: 13 } },
};

/** A plotly template: figures inherit from it whatever they do not set. */
export const theme = {
  layout: {
    colorway: COLOURS,
    font: { family: 'Inter, system-ui, "Segoe UI", Helvetica, Arial, sans-serif', size: 13, color: INK },
    title: {
      x: 0,
      xref: 'container',
      xanchor: 'left',
      y: 1,
      yref: 'container',
      yanchor: 'top',
      pad: { t: 14, l: 10 },
      font: { size: 16 },
    },
    paper_bgcolor: 'rgba(0,0,0,0)',
    plot_bgcolor: 'rgba(0,0,0,0)',
    xaxis: axis,
    yaxis: axis,
    legend: { orientation: 'h', x: 1, xanchor: 'right', y: 1, yanchor: 'bottom', bgcolor: 'rgba(0,0,0,0)' },
    hoverlabel: { font: { family: 'Inter, system-ui, sans-serif' } },
    modebar: { bgcolor: 'rgba(0,0,0,0)', color: 'rgba(128,128,128,0.7)', activecolor: COLOURS[0] },
    annotationdefaults: { showarrow: false },
    bargap: 0.3,
  },
} as const;
