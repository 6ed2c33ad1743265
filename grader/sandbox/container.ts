/**
 * A container around a submission, with what docker and podman have in common. No image is downloaded: the one of
 * this Node has to be there, and the project is mounted from outside as in the bubblewrap.
 */
import { visiblePaths, WORKDIR, WORKDIR_BYTES } from '../base/visible';
import { find, need } from './programs';

/** The official image of this very Node, on the C library that the native packages are built for. */
export const IMAGE = `docker.io/library/node:${process.versions.node}-bookworm-slim`;

/** Room for the buffers that Node itself reserves. */
const OVERHEAD_MB = 256;

/** @throws Error when there is neither */
export function containerEngine(): string {
  return find('podman') ?? need('docker');
}

/** The words before the command that is to run inside; it talks over stdin and stdout, since no other is passed on. */
export function container(engine: string, name: string, memoryMb: number, cpuMs: number): string[] {
  const memory = `${memoryMb + OVERHEAD_MB}m`;
  return [
    ...[
      engine,
      'run',
      '--rm',
      `--name=${name}`,
      '--interactive',
      '--init',
      '--pull=never',
      '--network=none',
      '--read-only',
    ],
    ...['--cap-drop=ALL', '--security-opt=no-new-privileges', '--user=65534:65534', '--ipc=none'],
    ...[`--memory=${memory}`, `--memory-swap=${memory}`, '--pids-limit=128', '--ulimit=core=0'],
    `--ulimit=cpu=${Math.ceil(cpuMs / 1000)}`,
    `--tmpfs=${WORKDIR}:rw,noexec,nosuid,nodev,size=${WORKDIR_BYTES},mode=0777`,
    ...visiblePaths().map((path) => `--volume=${path}:${path}:ro`),
    ...[`--workdir=${WORKDIR}`, `--env=HOME=${WORKDIR}`, `--env=TMPDIR=${WORKDIR}`],
    IMAGE,
  ];
}
