/** The connection of a new kernel: where its sockets will be, and the key that signs what goes over them. */
import { randomBytes } from 'node:crypto';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import type { Connection } from './messages';

/** Sockets in the folder where the system has them: no port to be taken by another program, none open to others. */
export async function createConnection(folder: string): Promise<Connection> {
  const local = process.platform !== 'win32';
  const [shell = 1, iopub = 2, stdin = 3, control = 4, hb = 5] = local ? [] : await freePorts(5);
  return {
    transport: local ? 'ipc' : 'tcp',
    ip: local ? join(folder, 'kernel') : '127.0.0.1',
    key: randomBytes(32).toString('hex'),
    signature_scheme: 'hmac-sha256',
    shell_port: shell,
    iopub_port: iopub,
    stdin_port: stdin,
    control_port: control,
    hb_port: hb,
  };
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => new Promise((done) => server.once('listening', done))));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}
