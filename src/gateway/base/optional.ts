import { asError, BalancerError } from '../../base/errors.js';

/** What the gateway is made of beside evenkeel's own dependencies: optional peers of the package. */
const PACKAGES = 'fastify @fastify/cors @fastify/swagger @fastify/swagger-ui';

/**
 * Loads one of the packages that whoever uses the gateway installs.
 *
 * @throws {@link BalancerError} INVALID_OPTION with the command that installs them all.
 */
export async function optional<T>(load: () => Promise<T>, name: string): Promise<T> {
  try {
    return await load();
  } catch (thrown) {
    const error = asError(thrown) as NodeJS.ErrnoException;
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new BalancerError('INVALID_OPTION', `${name} is not installed: npm install ${PACKAGES}`, {
      cause: error,
    });
  }
}
