/** Where the workbook is: the folder that has this package beside the others. */
import { basename, resolve } from 'node:path';

/**
 * The folder of the whole workbook, from the sources as from the build. By the path alone: a submission's sandbox shows
 * no other folder.
 */
export const workbookRoot = resolve(__dirname, basename(resolve(__dirname, '..')) === 'dist' ? '../../..' : '../..');
