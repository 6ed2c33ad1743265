/** Figures and tables of a cell as data, and what pages that show them need to know. No tensor library here. */
export * from './chart';
export * from './figure';
export * from './figure-html';
export * from './judging-charts';
export * from './live-loss';
export * from './plane-charts';
export * from './table';
export * from './training-charts';
