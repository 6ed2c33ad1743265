import { describe, expect, test } from 'vitest';
import { seccompFilter } from '../../../grader/sandbox/seccomp';

/** As AUDIT_ARCH_… of the kernel's include/uapi/linux/audit.h. */
const ARCHITECTURES: Readonly<Record<string, number>> = { x64: 0xc000003e, arm64: 0xc00000b7 };

const NAMES: Readonly<Record<number, string>> = { 0x7fff0000: 'allow', 0x80000000: 'kill' };

/** What the kernel does with a system call: the filter run as classic BPF, over `struct seccomp_data`. */
function verdict(
  architecture: string,
  number: number,
  args: readonly number[] = [],
  audit = ARCHITECTURES[architecture]!,
) {
  const filter = seccompFilter(architecture)!;
  const data = Buffer.alloc(64);
  data.writeUInt32LE(number >>> 0, 0);
  data.writeUInt32LE(audit, 4);
  args.forEach((arg, i) => data.writeBigUInt64LE(BigInt(arg), 16 + 8 * i));
  let accumulator = 0;
  for (let i = 0; i < filter.length / 8; i++) {
    const [code, k] = [filter.readUInt16LE(i * 8), filter.readUInt32LE(i * 8 + 4)];
    const jump = (holds: boolean) => (i += filter[i * 8 + (holds ? 2 : 3)]!);
    if (code === 0x20) accumulator = data.readUInt32LE(k);
    else if (code === 0x15) jump(accumulator === k);
    else if (code === 0x35) jump(accumulator >= k);
    else if (code === 0x45) jump((accumulator & k) !== 0);
    else if (code === 0x06) return NAMES[k] ?? `errno ${k & 0xffff}`;
    else throw new Error(`unknown instruction ${code}`);
  }
  throw new Error('the program has no end');
}

const [PRIVATE, SHARED, ANONYMOUS, GROWSDOWN, STACK, VALIDATED] = [0x2, 0x1, 0x20, 0x100, 0x20000, 0x3];
const mmap = (flags: number) => [0, 4096, 3, flags];

describe.each([
  ['x64', { read: 0, mmap: 9, clone: 56, socket: 41, fork: 57, ptrace: 101 }],
  ['arm64', { read: 63, mmap: 222, clone: 220, socket: 198, fork: 435, ptrace: 117 }],
] as const)('%s', (architecture, calls) => {
  test.each([
    ['reading', calls.read, [], 'allow'],
    ['memory of its own', calls.mmap, mmap(PRIVATE | ANONYMOUS), 'allow'],
    ['a thread’s stack', calls.mmap, mmap(PRIVATE | ANONYMOUS | STACK), 'allow'],
    ['a library', calls.mmap, mmap(PRIVATE), 'allow'],
    ['shared memory', calls.mmap, mmap(SHARED | ANONYMOUS), 'errno 1'],
    ['a shared file, such as /dev/zero', calls.mmap, mmap(SHARED), 'errno 1'],
    ['a shared file, asked for in the new way', calls.mmap, mmap(VALIDATED), 'errno 1'],
    ['memory that grows downwards', calls.mmap, mmap(PRIVATE | ANONYMOUS | GROWSDOWN), 'errno 1'],
    ['a thread', calls.clone, [0x10000], 'allow'],
    ['a process', calls.clone, [17], 'errno 1'],
    ['a socket of this machine', calls.socket, [1], 'allow'],
    ['a socket of the internet', calls.socket, [2], 'allow'],
    ['the same, version 6', calls.socket, [10], 'allow'],
    ['a socket to the kernel (netlink)', calls.socket, [16], 'errno 97'],
    ['a socket to the kernel’s ciphers', calls.socket, [38], 'errno 97'],
    ['a socket to the host of a virtual machine', calls.socket, [40], 'errno 97'],
    ['looking into another process', calls.ptrace, [], 'errno 1'],
    ['the new way to make a process', 435, [], 'errno 38'],
  ] as const)('%s', (_, number, args, wanted) => {
    expect(verdict(architecture, number, args)).toBe(wanted);
  });

  test('ends who calls by the rules of another machine', () => {
    expect(verdict(architecture, calls.read, [], 0x40000003)).toBe('kill');
    expect(verdict(architecture, calls.read + 0x40000000)).toBe('errno 1');
  });
});
