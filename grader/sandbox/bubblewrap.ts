/**
 * bubblewrap around a submission: namespaces of its own for files, processes, network and hosts' names, in which only
 * Node, the built packages and the data can be read, and only a small folder in memory can be written.
 */
import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { visiblePaths, WORKDIR, WORKDIR_BYTES } from '../base/visible';
import { need } from './programs';

/** Where programs find their libraries. */
const SYSTEM = ['/lib', '/lib64', '/usr/lib', '/usr/lib64', '/etc/ld.so.cache'];

/**
 * The words before the command that is to run inside.
 *
 * Root makes the namespaces with its own rights and then turns into a user who is nobody: within a namespace of
 * users, root's processes would still own /proc/sys, and no limit of processes would hold for them. Others need such
 * a namespace.
 */
export function bubblewrap(filterFd: number | undefined): string[] {
  const asRoot = process.getuid?.() === 0;
  const bwrap = need('bwrap');
  const setpriv = asRoot ? [need('setpriv')] : [];
  const visible = [...SYSTEM, process.execPath, need('prlimit'), ...setpriv, ...visiblePaths()].filter((path) =>
    existsSync(path),
  );
  return [
    bwrap,
    ...['--unshare-ipc', '--unshare-pid', '--unshare-net', '--unshare-uts', '--unshare-cgroup-try'],
    ...['--die-with-parent', '--new-session', '--hostname', 'submission'],
    ...(asRoot ? CAPABILITIES_TO_LEAVE_ROOT : ['--unshare-user', '--uid', '65534', '--gid', '65534']),
    ...['--proc', '/proc', '--dev', '/dev', '--remount-ro', '/dev'],
    ...['--perms', '0777', '--size', String(WORKDIR_BYTES), '--tmpfs', WORKDIR],
    ...foldersAbove(visible).flatMap((folder) => ['--perms', '0755', '--dir', folder]),
    ...visible.flatMap((path) => ['--ro-bind', path, path]),
    ...['--remount-ro', '/', '--chdir', WORKDIR],
    ...(filterFd === undefined ? [] : ['--seccomp', String(filterFd)]),
    '--',
    ...setpriv.flatMap(leaveRoot),
  ];
}

const CAPABILITIES_TO_LEAVE_ROOT = ['CAP_SETUID', 'CAP_SETGID', 'CAP_SETPCAP'].flatMap((name) => ['--cap-add', name]);

/** A user of its own each, from the range that systemd keeps for such: limits of processes count by user. */
function leaveRoot(setpriv: string): string[] {
  const user = String(randomInt(61184, 65520));
  const none = ['--clear-groups', '--no-new-privs', '--inh-caps=-all', '--bounding-set=-all'];
  return [setpriv, `--reuid=${user}`, `--regid=${user}`, ...none, '--'];
}

/** Made beforehand, since those that bubblewrap makes by the way are closed to whoever is not root. */
function foldersAbove(paths: readonly string[]): string[] {
  const above = (path: string): string[] => (dirname(path) === path ? [] : [...above(dirname(path)), path]);
  return [...new Set(paths.flatMap((path) => above(dirname(path))))];
}
