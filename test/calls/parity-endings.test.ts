import { describe, expect, it } from 'vitest';
import { KINDS, type Scenario } from './drive.js';
import { type Journal, Parity } from './parity.js';

const parity = new Parity();

interface Case extends Scenario {
  readonly name: string;
  readonly journal?: Journal;
}

const in100ms = () => ({ deadline: Date.now() + 100 });

const CANCELLED: readonly Case[] = [
  // By a bare client such a call is served all the same, and its headers are shown after its end.
  { name: 'in the turn in which it is made', cancel: 'at once', journal: 'empty' },
  { name: 'when the server has it', act: 'hang', cancel: 'when the server has it' },
  { name: 'at its headers', act: 'send headers and hang', cancel: 'at headers', journal: 'over' },
  {
    name: 'at its headers, which come with the rest',
    act: 'decorate',
    cancel: 'at headers',
    journal: 'over',
  },
];

const PAST: readonly Case[] = [
  { name: 'when it is made', options: () => ({ deadline: Date.now() - 1_000 }) },
  { name: 'before headers', act: 'hang', options: in100ms },
  { name: 'after headers', act: 'send headers and hang', options: in100ms },
  { name: 'after a message', act: 'answer and hang', options: in100ms },
  { name: 'that is a date', act: 'hang', options: () => ({ deadline: new Date(Date.now() + 100) }) },
];

describe.each(KINDS)('%s through a pool, as by a bare client, cancelled', (kind) => {
  it.each(CANCELLED)('$name', async ({ name: _, journal = 'same', ...scenario }) => {
    const shown = await parity.expectSame(kind, scenario, { journal });
    expect(shown.find((event) => event.kind === 'status')).toMatchObject({ status: { code: 1 } });
  });
});

describe.each(['serverStream', 'bidi'] as const)(
  '%s through a pool, as by a bare client, cancelled',
  (kind) => {
    it('at its first message', async () => {
      const shown = await parity.expectSame(
        kind,
        { act: 'answer and hang', cancel: 'at a message' },
        { journal: 'over' },
      );
      expect(shown.filter((event) => event.kind === 'message')).toHaveLength(1);
      expect(shown.find((event) => event.kind === 'status')).toMatchObject({ status: { code: 1 } });
    });
  },
);

describe.each(KINDS)('%s through a pool, as by a bare client, past its deadline', (kind) => {
  it.each(PAST)('$name', async ({ name: _, ...scenario }) => {
    const shown = await parity.expectSame(kind, scenario, { journal: 'over' });
    expect(shown.find((event) => event.kind === 'status')).toMatchObject({ status: { code: 4 } });
  });
});

describe.each(['clientStream', 'bidi'] as const)('%s through a pool, as by a bare client,', (kind) => {
  it.each<Case>([
    {
      name: 'cancelled while there is more to be sent',
      act: 'hang',
      keepOpen: true,
      cancel: 'when the server has it',
    },
    {
      name: 'past its deadline while there is more to be sent',
      act: 'hang',
      keepOpen: true,
      options: in100ms,
    },
  ])('$name', async ({ name: _, ...scenario }) => {
    await parity.expectSame(kind, scenario, { journal: 'over' });
  });
});
