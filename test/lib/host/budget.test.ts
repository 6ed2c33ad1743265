import { afterEach, expect, test, vi } from 'vitest';
import { budgeted, fullBudget } from '../../../lib/host/budget';

afterEach(() => vi.unstubAllEnvs());

test('scales epochs, keeps at least one, and gives the second number in full', () => {
  vi.stubEnv('DGM_BUDGET', undefined);
  expect([budgeted(60), budgeted(60, 300), fullBudget()]).toEqual([60, 60, false]);
  vi.stubEnv('DGM_BUDGET', '0.05');
  expect([budgeted(60), budgeted(1, 300), fullBudget()]).toEqual([3, 1, false]);
  vi.stubEnv('DGM_BUDGET', 'full');
  expect([budgeted(60), budgeted(60, 300), fullBudget()]).toEqual([60, 300, true]);
});

test('an empty DGM_BUDGET is none', () => {
  vi.stubEnv('DGM_BUDGET', '');
  expect([budgeted(60), fullBudget()]).toEqual([60, false]);
});

test.each(['0', '-1', 'much', 'Infinity', ' '])('refuses DGM_BUDGET=%j', (budget) => {
  vi.stubEnv('DGM_BUDGET', budget);
  expect(() => budgeted(60)).toThrow(`DGM_BUDGET must be a number > 0 or 'full', got '${budget}'`);
});
