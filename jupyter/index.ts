/** The notebook side: run cells in a kernel, read and write notebook files, speak the protocol. */
export * from './client/client';
export * from './client/execute';
export * from './client/kernel-process';
export * from './client/messages';
export * from './format/notebook';
