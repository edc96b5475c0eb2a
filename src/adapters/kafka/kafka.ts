/** The Kafka adapter as one module, which `connect` loads only for addresses of Kafka. */
export { KafkaAdmin } from './admin.ts';
export { KafkaLeadership } from './group/leadership.ts';
export { KafkaShares } from './group/shares.ts';
export { KafkaSink } from './producer/sink.ts';
export { KafkaLog } from './reader/log.ts';
