import { inject } from 'vitest';
import { connect } from '../../src/adapters/connect.ts';
import { logConformance } from './log-conformance.ts';

logConformance('Kafka', () => connect({ brokers: inject('brokers').split(','), clientId: 'test' }));
