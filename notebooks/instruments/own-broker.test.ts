import { createServer } from 'node:net';
import { afterEach, expect, it, vi } from 'vitest';
import { openBroker } from './own-broker.js';

const printed = vi.spyOn(console, 'log').mockImplementation(() => {});
afterEach(() => void vi.unstubAllEnvs());

it('says in one line what is missing and how to get it, and throws where CI is set', async () => {
  vi.stubEnv('PATH', '');
  vi.stubEnv('JAVA_HOME', undefined);
  vi.stubEnv('CI', undefined);
  expect(await openBroker('elasticmq')).toBeNull();
  expect(printed.mock.lastCall?.[0]).toMatch(
    /^SKIPPED: the sections that need elasticmq\. ElasticMQ needs Java 17 or newer( and Maven)?, .* Install: apt-get .*\.$/,
  );
  vi.stubEnv('CI', 'true');
  await expect(openBroker('elasticmq')).rejects.toThrow('ElasticMQ needs Java 17 or newer');
});

it('uses the Kafka that KAFKA names, and refuses a name that is none, or where nothing answers', async () => {
  const other = createServer((socket) => socket.end());
  const port = await new Promise<number>((resolve) => {
    other.listen(0, '127.0.0.1', () => resolve((other.address() as { port: number }).port));
  });
  vi.stubEnv('KAFKA', `127.0.0.1:${port}`);
  expect(await openBroker('kafka')).toMatchObject({ host: '127.0.0.1', port });
  await new Promise((resolve) => other.close(resolve));
  await expect(openBroker('kafka')).rejects.toThrow(/^KAFKA is 127\.0\.0\.1:\d+, and nothing answers there/);
  vi.stubEnv('KAFKA', 'kafka://here');
  await expect(openBroker('kafka')).rejects.toThrow('Expected KAFKA as HOST:PORT');
});
