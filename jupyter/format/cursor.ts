/** Positions in a text: Jupyter counts characters as Unicode does, JavaScript in units of 16 bits. */

export function toCodeUnits(text: string, codePoints: number): number {
  return Array.from(text).slice(0, codePoints).join('').length;
}

export function toCodePoints(text: string, codeUnits: number): number {
  return Array.from(text.slice(0, codeUnits)).length;
}
