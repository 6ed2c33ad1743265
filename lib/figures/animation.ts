/** Figures of several steps: the buttons and the slider that move through them. */

const AT_ONCE = { mode: 'immediate', transition: { duration: 0 } }; // nothing glides: steps are steps, and motion is optional

/** A button that plays the steps, one that stops, and a slider. Nothing moves before somebody asks for it. */
export function controls(names: readonly string[]): Record<string, unknown> {
  const play = { ...AT_ONCE, fromcurrent: true, frame: { duration: 120 } };
  const to = { ...AT_ONCE, frame: { duration: 0 } };
  const button = (label: string, frames: unknown, options: object) => ({
    method: 'animate',
    label,
    args: [frames, options],
  });
  return {
    updatemenus: [
      {
        type: 'buttons',
        direction: 'left',
        showactive: false,
        x: 0,
        y: 0,
        xanchor: 'left',
        yanchor: 'top',
        pad: { t: 52, r: 8 },
        bgcolor: 'rgba(0,0,0,0)',
        buttons: [button('Play', null, play), button('Stop', [null], to)],
      },
    ],
    sliders: [
      {
        active: 0,
        x: 0.22,
        len: 0.78,
        y: 0,
        xanchor: 'left',
        yanchor: 'top',
        pad: { t: 42 },
        currentvalue: { xanchor: 'right' },
        steps: names.map((name) => button(name, [name], to)),
      },
    ],
  };
}
