// The examples of registries, as a user starts them: compiled, in processes of their own.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { KubeApi } from '../support/kube-api.js';
import { ServerProcess } from '../support/server-process.js';

const run = promisify(execFile);

async function greeter() {
  const server = await ServerProcess.start({ service: 'greeter', announceTo: { kind: 'nowhere' } });
  onTestFinished(() => server.kill().then(() => {}));
  return server;
}

async function replies(example: string, env: NodeJS.ProcessEnv): Promise<string[]> {
  const { stdout } = await run(process.execPath, [`dist/examples/${example}/client.js`], {
    env: { ...process.env, KUBERNETES_SERVICE_HOST: '', ...env },
  });
  return stdout.split('\n').filter((line) => line.includes('world'));
}

it('the example of Kubernetes greets the pods of a Service, and ends', async () => {
  const { address } = await greeter();
  const api = await KubeApi.start();
  onTestFinished(() => api.close());
  const ports = [{ name: 'grpc', port: Number(address.split(':')[1]), protocol: 'TCP' }];
  api.put({ name: 'one', service: 'greeter', ports, endpoints: [{ addresses: ['127.0.0.1'] }] });
  expect(await replies('kubernetes', { KUBECONFIG: api.kubeconfig() })).toHaveLength(10);
});

it('the example of DNS greets the servers of a name, and ends', async () => {
  const { address } = await greeter();
  expect(await replies('dns', { GREETER: address })).toHaveLength(10);
});
