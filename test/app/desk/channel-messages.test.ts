import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ChannelMessage, framingOf, V1 } from '../../../app/desk/channel-messages';

// Messages between a page and its kernel, in the two forms that Jupyter has for them on a WebSocket.

const messages = fc.record({
  channel: fc.constantFrom('shell', 'control', 'stdin'),
  header: fc.record({ msg_id: fc.string(), msg_type: fc.string(), session: fc.string() }),
  parent_header: fc.constant({}),
  metadata: fc.dictionary(fc.string(), fc.string()),
  content: fc.dictionary(fc.string(), fc.jsonValue()),
  buffers: fc.array(fc.uint8Array()),
});
const plain = ({ buffers, ...message }: ChannelMessage) =>
  JSON.stringify([message, buffers.map((buffer) => Array.from(buffer))]);

test.each(['', V1])('law: what "%s" packs it unpacks', (subprotocol) => {
  const { pack, unpack } = framingOf(subprotocol);
  fc.assert(
    fc.property(messages, (value) => {
      const message = value as unknown as ChannelMessage;
      const packed = pack(message);
      const back = unpack(Buffer.from(packed as string), typeof packed !== 'string');
      expect(plain(back)).toBe(plain(message));
    }),
  );
});

test.each(['', V1])('law: of anything else, "%s" makes an error', (subprotocol) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.boolean(), (bytes, isBinary) => {
      expect(() => framingOf(subprotocol).unpack(Buffer.from(bytes), isBinary)).toThrow(/expected/);
    }),
    { numRuns: 1000 },
  );
});
