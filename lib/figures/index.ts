/** Figures and tables of a cell as data, and what pages that show them need to know. No tensor library here. */
export * from './chart';
export * from './density';
export * from './figure';
export * from './figure-html';
export * from './image-grid';
export * from './judging-charts';
export * from './ladder';
export * from './live-loss';
export * from './loss-chart';
export * from './panels';
export * from './plane-charts';
export * from './step-keys';
export * from './table';
