import { http2Transport } from '../../../../src/balancer/transport/http2/index.js';
import { describeTransport } from '../contract.js';
import { realPair } from '../raw-peer.js';

describeTransport('http2', () => realPair(http2Transport()));
