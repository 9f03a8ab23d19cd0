import { asError, BalancerError } from '../errors.js';

/**
 * Loads a package that is installed with evenkeel unless its optional dependencies were left out.
 *
 * @throws {@link BalancerError} INVALID_OPTION with the command that installs it.
 */
export async function optional<T>(load: () => Promise<T>, name: string): Promise<T> {
  try {
    return await load();
  } catch (thrown) {
    const error = asError(thrown) as NodeJS.ErrnoException;
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new BalancerError('INVALID_OPTION', `${name} is not installed: npm install ${name}`, {
      cause: error,
    });
  }
}
