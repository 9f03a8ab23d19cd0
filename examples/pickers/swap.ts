import { type Pool, peakEwma, powerOfTwo } from 'evenkeel';

export function swap(pool: Pool): void {
  // #region swap
  pool.setPicker('least-pending');
  pool.setPicker(powerOfTwo({ choices: 3, meter: peakEwma() }));
  // #endregion
}
