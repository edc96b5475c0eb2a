/** The Kafka adapter as one module, which is loaded only where there is Kafka. */
export { KafkaAdmin } from './admin.ts';
export { KafkaLeadership } from './group/leadership.ts';
export { KafkaSink } from './producer/sink.ts';
export { KafkaLog } from './reader/log.ts';
