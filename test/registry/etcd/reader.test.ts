import { describe, expect, it } from 'vitest';
import { EndpointReader } from '../../../src/registry/etcd/reader.js';

function reader() {
  const lines: string[] = [];
  const logger = { info: (line: string) => lines.push(line), warn: (line: string) => lines.push(line) };
  return { lines, reader: new EndpointReader('/p/s/', logger) };
}

const entry = (key: string, value: string, lease = '0') => ({
  key: Buffer.from(key),
  value: Buffer.from(value),
  lease,
});
const gone = (key: string) => ({ key: Buffer.from(key), value: undefined });

describe('EndpointReader', () => {
  it('complains once of a value, however often it is read, and again of another', () => {
    const { lines, reader: endpoints } = reader();
    const bad = [entry('/p/s/a', 'bad'), entry('/p/s/b:1', 'b:1')];
    expect(endpoints.snapshot(bad).map(({ id }) => id)).toEqual(['/p/s/b:1']);
    endpoints.snapshot(bad);
    endpoints.changes([entry('/p/s/a', 'bad')]);
    expect(lines).toEqual(['key "/p/s/a" is skipped: its value "bad" is not host:port']);
    endpoints.changes([entry('/p/s/a', 'worse')]);
    expect(lines).toHaveLength(2);
    endpoints.changes([entry('/p/s/a', 'a:1')]);
    endpoints.changes([entry('/p/s/a', 'worse')]);
    expect(lines).toHaveLength(3);
    endpoints.changes([gone('/p/s/a')]);
    endpoints.snapshot(bad);
    expect(lines).toHaveLength(4);
  });

  it('keeps an endpoint whose weight alone is wrong, with one complaint', () => {
    const { lines, reader: endpoints } = reader();
    const heavy = entry('/p/s/a:1', '{"Addr":"a:1","Metadata":{"weight":"heavy","zone":"x"}}');
    for (let i = 0; i < 3; i++) {
      expect(endpoints.snapshot([heavy])).toMatchObject([{ weight: 1, metadata: { zone: 'x' } }]);
    }
    expect(lines).toEqual([
      'key "/p/s/a:1": its weight "heavy" is not 0, nor a number from 1e-6 to 2^32 - 1; it counts as 1',
    ]);
  });

  it('tells a few complaints one by one, and of many how many', () => {
    const { lines, reader: endpoints } = reader();
    const bad = Array.from({ length: 1_000 }, (_, i) => entry(`/p/s/${i}`, 'bad'));
    expect(endpoints.snapshot([...bad, entry('/p/s/a:1', 'a:1')])).toHaveLength(1);
    expect(lines).toHaveLength(21);
    expect(lines.at(-1)).toBe('980 more keys under "/p/s/" are wrong');
    endpoints.snapshot(bad);
    expect(lines).toHaveLength(21);
    endpoints.changes([entry('/p/s/5', 'worse')]);
    expect(lines.at(-1)).toBe('key "/p/s/5" is skipped: its value "worse" is not host:port');
  });

  it('tells first of those whose servers were heard: who wrote the others for good may be long gone', () => {
    const { reader: endpoints } = reader();
    const entries = [entry('/p/s/a:1', 'a:1'), entry('/p/s/b:1', 'b:1', '7'), entry('/p/s/c:1', 'c:1', '8')];
    expect(endpoints.snapshot(entries).map(({ address }) => address)).toEqual(['b:1', 'c:1', 'a:1']);
  });

  it('tells the last word on each key of a batch', () => {
    const { reader: endpoints } = reader();
    const { put, removed } = endpoints.changes([
      entry('/p/s/a:1', 'a:1'),
      gone('/p/s/a:1'),
      gone('/p/s/b:1'),
      entry('/p/s/b:1', 'b:1'),
      entry('/p/s/c:1', 'c:1'),
      entry('/p/s/c:1', 'c:2'),
    ]);
    expect(put.map(({ address }) => address)).toEqual(['b:1', 'c:2']);
    expect(removed).toEqual(['/p/s/a:1']);
  });

  it('takes an endpoint out when its value can no longer be read', () => {
    const { reader: endpoints } = reader();
    endpoints.snapshot([entry('/p/s/a:1', 'a:1')]);
    expect(endpoints.changes([entry('/p/s/a:1', '')])).toEqual({ put: [], removed: ['/p/s/a:1'] });
  });

  it('leaves the keys of other services, and those that are no text, alone', () => {
    const { lines, reader: endpoints } = reader();
    const foreign = [
      entry('/p/s/inner/a:1', 'a:1'),
      { key: Buffer.concat([Buffer.from('/p/s/'), Buffer.of(0xff)]), value: Buffer.from('a:1'), lease: '0' },
    ];
    expect(endpoints.snapshot(foreign)).toEqual([]);
    expect(endpoints.changes(foreign)).toEqual({ put: [], removed: [] });
    expect(lines).toEqual([]);
  });
});
