/**
 * Solutions in a release, locked: AES-256-GCM under a key that scrypt makes of the exercise's name.
 *
 * The key is no secret, and this is no security: whoever reads this file can open a solution. It keeps an answer from
 * being read by accident, in a search or in an open file, before one's own checks pass. A lecturer who needs more
 * releases without solutions, and publishes them later.
 */
import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from 'node:crypto';

/** All in base64. */
export interface Locked {
  readonly salt: string;
  readonly iv: string;
  readonly tag: string;
  readonly text: string;
}

const CIPHER = 'aes-256-gcm';

export function lock(text: string, exercise: string): Locked {
  const [salt, iv] = [randomBytes(16), randomBytes(12)];
  const cipher = createCipheriv(CIPHER, keyOf(exercise, salt), iv);
  const locked = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  const base64 = (bytes: Buffer) => bytes.toString('base64');
  return { salt: base64(salt), iv: base64(iv), tag: base64(cipher.getAuthTag()), text: base64(locked) };
}

/** @throws an Error when the text was changed, or belongs to another exercise */
export function unlock({ salt, iv, tag, text }: Locked, exercise: string): string {
  const bytes = (base64: string) => Buffer.from(base64, 'base64');
  try {
    const decipher = createDecipheriv(CIPHER, keyOf(exercise, bytes(salt)), bytes(iv));
    decipher.setAuthTag(bytes(tag));
    return Buffer.concat([decipher.update(bytes(text)), decipher.final()]).toString('utf8');
  } catch {
    throw new Error(`the locked solution of ${exercise} is damaged; take grader/release.json from the release again`);
  }
}

function keyOf(exercise: string, salt: Buffer): Buffer {
  return scryptSync(`deep generative modelling workbook: ${exercise}`, salt, 32);
}
