import {
  ConnectionError,
  DEFAULT_MAX_FRAME_SIZE,
  DEFAULT_WINDOW,
  ErrorCode,
  LARGEST_MAX_FRAME_SIZE,
  MAX_31_BITS,
  Setting,
} from '../frames/protocol.js';

/** What the peer has set, as it stands. */
export interface PeerSettings {
  maxConcurrentStreams: number;
  initialWindowSize: number;
  maxFrameSize: number;
  maxHeaderListSize: number;
}

/** RFC 9113, section 6.5.2. */
export function defaultSettings(): PeerSettings {
  return {
    maxConcurrentStreams: Number.POSITIVE_INFINITY,
    initialWindowSize: DEFAULT_WINDOW,
    maxFrameSize: DEFAULT_MAX_FRAME_SIZE,
    maxHeaderListSize: Number.POSITIVE_INFINITY,
  };
}

/**
 * Changes `settings` by the payload of a SETTINGS frame, in its order.
 *
 * @param limitTable - is told of each size of the header table. One frame may have several, and what does not fit into the
 * smallest is gone (RFC 9113, section 6.5.3; RFC 7541, section 4.2).
 * @throws {@link ConnectionError} for a value that cannot be, with the code that RFC 9113, section 6.5.2, names.
 */
export function applySettings(
  settings: PeerSettings,
  bytes: Buffer,
  start: number,
  end: number,
  limitTable: (size: number) => void,
): void {
  for (let at = start; at < end; at += 6) {
    const id = bytes.readUInt16BE(at);
    const value = bytes.readUInt32BE(at + 2);
    switch (id) {
      case Setting.HEADER_TABLE_SIZE:
        limitTable(value);
        break;
      case Setting.ENABLE_PUSH:
        // A server has nothing to allow here (section 6.5.2).
        if (value !== 0) throw wrong('ENABLE_PUSH', value, ErrorCode.PROTOCOL_ERROR);
        break;
      case Setting.MAX_CONCURRENT_STREAMS:
        settings.maxConcurrentStreams = value;
        break;
      case Setting.INITIAL_WINDOW_SIZE:
        if (value > MAX_31_BITS) throw wrong('INITIAL_WINDOW_SIZE', value, ErrorCode.FLOW_CONTROL_ERROR);
        settings.initialWindowSize = value;
        break;
      case Setting.MAX_FRAME_SIZE:
        if (value < DEFAULT_MAX_FRAME_SIZE || value > LARGEST_MAX_FRAME_SIZE)
          throw wrong('MAX_FRAME_SIZE', value, ErrorCode.PROTOCOL_ERROR);
        settings.maxFrameSize = value;
        break;
      case Setting.MAX_HEADER_LIST_SIZE:
        settings.maxHeaderListSize = value;
        break;
      default:
      // A setting that is not known means nothing (section 6.5.2).
    }
  }
}

function wrong(name: string, value: number, code: number): ConnectionError {
  return new ConnectionError(code, `the setting ${name} is ${value}`);
}
