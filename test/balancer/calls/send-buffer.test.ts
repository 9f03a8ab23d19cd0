import { describe, expect, it } from 'vitest';
import { MAX_KEPT_BYTES, MAX_KEPT_MESSAGES, SendBuffer } from '../../../src/balancer/calls/send-buffer.js';
import type { WireCall } from '../../../src/balancer/transport/transport.js';

/** A wire that takes messages, and says when each of them is written. */
class Wire {
  readonly log: string[] = [];
  readonly compressed: boolean[] = [];
  readonly #written: (() => void)[] = [];

  sendMessage(bytes: Buffer, onWritten = () => {}, compress = true): void {
    this.log.push(bytes.toString());
    this.compressed.push(compress);
    this.#written.push(onWritten);
  }

  halfClose(): void {
    this.log.push('end');
  }

  /** The oldest message that it has taken is written. */
  write(): void {
    this.#written.shift()?.();
  }
}

function setUp() {
  const buffer = new SendBuffer();
  const written: string[] = [];
  const push = (text: string, compress?: boolean) =>
    buffer.push(Buffer.from(text), () => written.push(text), compress);
  const attach = () => {
    const wire = new Wire();
    buffer.attach(wire as unknown as WireCall);
    return wire;
  };
  return { buffer, written, push, attach };
}

describe('a send buffer', () => {
  it('gives a wire one message at a time, and its end after the last', () => {
    const { buffer, written, push, attach } = setUp();
    push('a', false);
    const wire = attach();
    push('b');
    buffer.halfClose();
    expect(wire.log).toEqual(['a']);
    wire.write();
    expect([wire.log, written]).toEqual([['a', 'b', 'end'], ['a']]);
    wire.write();
    expect(written).toEqual(['a', 'b']);
    expect(wire.compressed).toEqual([false, true]);
  });

  it('gives the next wire everything again, and tells of each message once', () => {
    const { buffer, written, push, attach } = setUp();
    for (const text of ['a', 'b', 'c']) push(text);
    const first = attach();
    first.write();
    buffer.detach();
    push('d');
    buffer.halfClose();
    const second = attach();
    for (let i = 0; i < 4; i++) second.write();
    expect(second.log).toEqual(['a', 'b', 'c', 'd', 'end']);
    expect(written).toEqual(['a', 'b', 'c', 'd']);
  });

  it('is not moved on by a wire that is gone', () => {
    const { buffer, written, push, attach } = setUp();
    for (const text of ['a', 'b']) push(text);
    const first = attach();
    buffer.detach();
    const second = attach();
    first.write();
    expect(written).toEqual(['a']);
    expect(second.log).toEqual(['a']);
    second.write();
    expect(second.log).toEqual(['a', 'b']);
    expect(written).toEqual(['a']);
  });

  it('keeps nothing that was written once it may forget, and goes on', () => {
    const { buffer, written, push, attach } = setUp();
    for (const text of ['a', 'b', 'c']) push(text);
    const wire = attach();
    wire.write();
    expect(buffer.kept).toBe(true);
    buffer.forget();
    expect(buffer.kept).toBe(false);
    wire.write();
    wire.write();
    push('d');
    wire.write();
    buffer.halfClose();
    expect(wire.log).toEqual(['a', 'b', 'c', 'd', 'end']);
    expect(written).toEqual(['a', 'b', 'c', 'd']);
  });

  it('keeps so many messages, however small, and so many bytes, but for a first one', () => {
    const many = setUp();
    for (let n = 0; n < MAX_KEPT_MESSAGES; n++) many.push('');
    expect(many.buffer.kept).toBe(true);
    many.push('');
    expect(many.buffer.kept).toBe(false);
    const large = setUp();
    large.push('a'.repeat(MAX_KEPT_BYTES + 1));
    expect(large.buffer.kept).toBe(true);
    large.push('');
    expect(large.buffer.kept).toBe(false);
  });

  it('keeps no writer waiting when the call is over', () => {
    const { buffer, written, push, attach } = setUp();
    const wire = attach();
    for (const text of ['a', 'b']) push(text);
    buffer.end();
    push('c');
    wire.write();
    buffer.halfClose();
    expect(wire.log).toEqual(['a']);
    expect(written).toEqual(['a', 'b', 'c']);
  });
});
