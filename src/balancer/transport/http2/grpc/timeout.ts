/** The units of `grpc-timeout` that are of use, with their length in milliseconds. */
const UNITS = [
  ['m', 1],
  ['S', 1_000],
  ['M', 60_000],
  ['H', 3_600_000],
] as const;
/** A value has eight digits at most. */
const LARGEST = 99_999_999;

/** The value of `grpc-timeout` (PROTOCOL-HTTP2.md): rounded up, in the smallest unit that can say it. */
export function timeoutValue(ms: number): string {
  for (const [unit, length] of UNITS) {
    const amount = Math.ceil(ms / length);
    if (amount <= LARGEST) return `${amount}${unit}`;
  }
  return `${LARGEST}H`;
}
