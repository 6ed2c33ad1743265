/** What the program around us offers: a cell to show in, a stop button, a budget, a cache. No tensor library here. */
export * from './budget';
export * from './files';
export * from './host';
export * from './processes';
export * from './progress';
export { cacheFolder } from './user-cache';
