/** What the program around us offers: a cell to show in, a stop button, a budget, a cache. No tensor library here. */
export * from './budget';
export * from './host';
export * from './progress';
export { cacheFolder } from './user-cache';
