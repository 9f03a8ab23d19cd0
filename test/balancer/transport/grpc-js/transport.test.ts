import { grpcTransport } from '../../../../src/balancer/transport/grpc-js/transport.js';
import { systemClock } from '../../../../src/base/clock.js';
import { describeTransport } from '../contract.js';
import { realPair } from '../raw-peer.js';

describeTransport('grpc-js', () => realPair(grpcTransport({ clock: systemClock })));
