import { createRng, em, fit, gaussianMixture, liveLoss, type MimeBundle } from 'dgm';
import { installHost } from 'dgm/host';
import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { PLOTLY_MIME, type FigureSpec } from '../../../lib/figures/figure';

// A loss curve that grows in its place: seldom enough for a page, and whole at the end.

interface Shown {
  readonly data: MimeBundle;
  readonly id: string | undefined;
  readonly update: boolean | undefined;
}
let shown: Shown[] = [];
let uninstall = () => {};
beforeEach(() => {
  shown = [];
  uninstall = installHost({
    display: (data, { id, update } = {}) => void shown.push({ data, id, update }),
    interruptSignal: () => new AbortController().signal,
  });
});
afterEach(() => {
  uninstall();
  vi.useRealTimers();
});

const epochs = (one: Shown) => (one.data[PLOTLY_MIME] as FigureSpec).data[0]!['x'] as number[];
const figures = () => shown.filter(({ data }) => PLOTLY_MIME in data);
const epoch = (n: number) => ({ epoch: n, loss: 10 - n, validation: 20 - n });

describe('liveLoss', () => {
  test('draws the first epoch at once, then at most twice a second, in place', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    vi.advanceTimersByTime(10_000);
    const hear = liveLoss();
    for (let n = 1; n <= 100; n++) {
      hear(epoch(n));
      vi.advanceTimersByTime(10);
    }
    expect(figures().map(epochs).map((x) => x.length)).toEqual([1, 50, 100]); // prettier-ignore
    expect(new Set(shown.map(({ id }) => id)).size).toBe(1);
    expect(shown.map(({ update }) => update)).toEqual([false, true, true]);
  });

  test('draws the last epoch when it is told the end, and nothing twice', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    vi.advanceTimersByTime(10_000);
    const hear = liveLoss();
    hear.done!();
    expect(shown).toEqual([]); // training that ended before its first epoch
    hear(epoch(1));
    hear(epoch(2));
    hear.done!();
    vi.advanceTimersByTime(10_000);
    hear.done!();
    expect(figures().map(epochs)).toEqual([[1], [1, 2]]);
  });

  test('without a notebook it says so, once', () => {
    uninstall();
    const said = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const hear = liveLoss();
    for (let n = 1; n <= 3; n++) hear(epoch(n));
    hear.done?.();
    expect(said.mock.calls.flat().join()).toContain('no notebook');
    expect(said).toHaveBeenCalledTimes(1);
    said.mockRestore();
  });
});

describe('is whole when training returns', () => {
  const data = () => {
    const x = tf.tidy(() => createRng(1).normal([60, 2]));
    return { train: { x }, validation: { x } };
  };
  const model = () =>
    gaussianMixture.create({ ...gaussianMixture.defaults, components: 2, eventShape: [2] }, createRng(1));
  const all = (history: readonly { epoch: number }[]) => history.map((e) => e.epoch);

  test('by fit', async () => {
    const { history } = await fit(model(), data(), { epochs: 4, batchSize: 30, rng: createRng(1), quiet: true, onEpoch: liveLoss() }); // prettier-ignore
    expect(epochs(figures().at(-1)!)).toEqual(all(history));
  });

  test('by em', async () => {
    const { history } = await em(model(), data(), { iterations: 4, tolerance: 0, rng: createRng(1), quiet: true, onEpoch: liveLoss() }); // prettier-ignore
    expect(epochs(figures().at(-1)!)).toEqual(all(history));
  });

  test('by fit that ends with an error', async () => {
    const hear = liveLoss();
    let seen = 0;
    const onEpoch = Object.assign(
      (e: Parameters<typeof hear>[0]) => {
        hear(e);
        if (++seen === 3) throw new Error('no more');
      },
      { done: hear.done! },
    );
    await expect(fit(model(), data(), { epochs: 9, batchSize: 30, rng: createRng(1), quiet: true, onEpoch })).rejects.toThrow('no more'); // prettier-ignore
    expect(epochs(figures().at(-1)!)).toEqual([1, 2, 3]);
  });
});
