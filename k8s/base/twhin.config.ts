/**
 * What all graphs of the cluster are run with. Brokers, TLS and login come from the environment, state and address too.
 * Topics and access of k8s/strimzi are generated from it: npm run k8s after a change.
 */
export default {
  topicPrefix: 'twhin.',
  // At this limit the process ends with a clear message; without it the pod would be killed at the memory limit.
  limits: { maxEntities: 1_000_000, stopMs: 30_000 },
};
