/** The notebook side: run cells in a kernel, read and write notebook files. */
export * from './client';
export * from './execute';
export * from './notebook';
