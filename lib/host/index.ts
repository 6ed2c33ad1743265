/** What is around us: a cell to show in, a stop button, a budget, files, processes, a person who types. No tensor library. */
export * from './budget';
export * from './files';
export * from './host';
export * from './nearest';
export * from './processes';
export * from './programs';
export * from './progress';
export * from './root';
export { cacheFolder } from './user-cache';
