/** Other processes on this machine. */

/** Whether a process of that id is there; another user's is, and so is one that nothing is known of. */
export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
