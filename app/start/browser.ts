/** Opens an address in the user's browser, where there is one. */
import { spawn } from 'node:child_process';

type Environment = Readonly<Record<string, string | undefined>>;

/** The program that opens addresses here; undefined on a machine without a desktop, where it might be a text browser. */
export function opener(
  env: Environment,
  platform: NodeJS.Platform = process.platform,
): readonly [string, ...string[]] | undefined {
  if (platform === 'darwin') return ['open'];
  if (platform === 'win32') return ['rundll32', 'url.dll,FileProtocolHandler']; // no shell that would read the & of an address
  return env['DISPLAY'] || env['WAYLAND_DISPLAY'] ? ['xdg-open'] : undefined;
}

/** True when a program took the address; what it then does is not known. */
export function openInBrowser(address: string, env: Environment = process.env): Promise<boolean> {
  const [program, ...args] = opener(env) ?? [];
  if (!program) return Promise.resolve(false);
  return new Promise((resolve) => {
    const child = spawn(program, [...args, address], { stdio: 'ignore', detached: true, env });
    child.once('error', () => resolve(false));
    child.once('spawn', () => resolve(true));
    child.unref();
  });
}
