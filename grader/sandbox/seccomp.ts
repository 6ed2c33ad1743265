/**
 * A filter of system calls for the process that runs a submission, as the kernel takes it (classic BPF over `struct
 * seccomp_data`). RLIMIT_DATA bounds one process, so there must be no second one; and what that limit does not count
 * must not be had: shared memory, a mapping that grows downwards like a stack, memory files, System V segments. Of
 * sockets there are those of this machine and of the internet, which lead nowhere in a network of one's own; not those
 * to the kernel, or from a virtual machine to its host.
 *
 * Source of the layout: the kernel's Documentation/userspace-api/seccomp_filter.rst; of the numbers: its
 * arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h.
 */

interface Machine {
  /** AUDIT_ARCH_…: a call by the rules of another machine has other numbers. */
  readonly audit: number;
  readonly clone: number;
  readonly mmap: number;
  readonly socket: number;
  readonly denied: readonly number[];
}

/** Numbers that all machines share: clone3, which glibc replaces by clone; io_uring_setup; memfd_secret; new mounts. */
const ABSENT = [435, 425, 447, 428, 429, 430, 432, 442];

const machines: Readonly<Record<string, Machine>> = {
  x64: {
    audit: 0xc000003e,
    clone: 56,
    mmap: 9,
    socket: 41,
    // fork vfork ptrace pivot_root chroot mount umount2 unshare setns add_key request_key keyctl bpf userfaultfd
    // perf_event_open process_vm_readv process_vm_writev kcmp memfd_create shmget semget msgget mq_open
    denied: [
      57, 58, 101, 155, 161, 165, 166, 272, 308, 248, 249, 250, 321, 323, 298, 310, 311, 312, 319, 29, 64, 68, 240,
    ],
  },
  arm64: {
    audit: 0xc00000b7,
    clone: 220,
    mmap: 222,
    socket: 198,
    // as above, without fork and vfork, which this machine lacks
    denied: [117, 41, 51, 40, 39, 97, 268, 217, 218, 219, 280, 282, 241, 270, 271, 272, 279, 194, 190, 186, 180],
  },
};

const [EPERM, ENOSYS, EAFNOSUPPORT] = [1, 38, 97];
const [ALLOW, KILL, ERRNO] = [0x7fff0000, 0x80000000, 0x00050000];
/** Offsets in `struct seccomp_data`, low words first. */
const [NUMBER, ARCH, ARGUMENT] = [0, 4, 16];
const CLONE_THREAD = 0x10000;
const [MAP_SHARED, MAP_GROWSDOWN] = [0x1, 0x100];
const [AF_UNIX, AF_INET, AF_INET6] = [1, 2, 10];
/** From here on, an x86 takes the number for one of the x32 rules. */
const X32 = 0x40000000;

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, k: number];
const load = (offset: number): Instruction => [0x20, 0, 0, offset];
const answer = (value: number): Instruction => [0x06, 0, 0, value];
const equal = (k: number, skipIfNot: number): Instruction => [0x15, 0, skipIfNot, k];
const unequal = (k: number, skipIfNot: number): Instruction => [0x15, skipIfNot, 0, k];
const atLeast = (k: number, skipIfNot: number): Instruction => [0x35, 0, skipIfNot, k];
const hasBit = (k: number, skipIfNot: number): Instruction => [0x45, 0, skipIfNot, k];
const refuse = (number: number, errno: number): Instruction[] => [equal(number, 1), answer(ERRNO | errno)];

/** The filter for this machine, or `undefined` for one whose numbers are not known here. */
export function seccompFilter(architecture: string = process.arch): Buffer | undefined {
  const machine = machines[architecture];
  return machine && toBytes(programOf(machine));
}

function programOf({ audit, clone, mmap, socket, denied }: Machine): Instruction[] {
  return [
    ...[load(ARCH), unequal(audit, 1), answer(KILL)],
    ...[load(NUMBER), atLeast(X32, 1), answer(ERRNO | EPERM)],
    ...ABSENT.flatMap((number) => refuse(number, ENOSYS)),
    ...denied.flatMap((number) => refuse(number, EPERM)),
    // a thread is no process
    ...[equal(clone, 4), load(ARGUMENT), hasBit(CLONE_THREAD, 1), answer(ALLOW), answer(ERRNO | EPERM)],
    // a file shared for writing would do: /dev/zero has no end
    ...[equal(mmap, 3), load(ARGUMENT + 3 * 8), hasBit(MAP_SHARED | MAP_GROWSDOWN, 1), answer(ERRNO | EPERM)],
    ...[load(NUMBER), equal(socket, 7), load(ARGUMENT)],
    ...[equal(AF_UNIX, 1), answer(ALLOW), equal(AF_INET, 1), answer(ALLOW)],
    ...[unequal(AF_INET6, 1), answer(ERRNO | EAFNOSUPPORT)],
    answer(ALLOW),
  ];
}

function toBytes(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  program.forEach(([code, ifTrue, ifFalse, k], i) => {
    bytes.writeUInt16LE(code, i * 8);
    bytes.writeUInt8(ifTrue, i * 8 + 2);
    bytes.writeUInt8(ifFalse, i * 8 + 3);
    bytes.writeUInt32LE(k >>> 0, i * 8 + 4);
  });
  return bytes;
}
