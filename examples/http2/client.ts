// #region pool
import { readFileSync } from 'node:fs';
import { Pool, staticRegistry } from 'evenkeel';
import { http2Transport } from 'evenkeel/http2';

const pool = new Pool({
  registry: staticRegistry(['127.0.0.1:50051']),
  service: 'hello_service',
  transport: http2Transport({ tls: () => ({ ca: readFileSync('ca.pem') }) }),
});
// #endregion
await pool.close();
