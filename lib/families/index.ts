/** The families, one line each: whatever of these files is a family is in the list (list.ts), and in the library. */
export * from './mixture';
export * from './circuit';
export * from './autoregressive';
export * from './pixelcnn';
export * from './flow';
export * from './integer-flow';
export * from './vae';
export * from './ppca';
export * from './pixel-vae';
export * from './hyperspherical-vae';
export * from './sentence-vae';
export * from './hierarchical-vae';
export * from './masked-diffusion';
export * from './variational-diffusion';
export * from './score-model';
export * from './flow-matching';
export * from './mean-flow';
