/** Most entities of a list, candidates of a request to be ranked, and entities that a request leaves out. */
export const [MOST_ITEMS, MOST_RANKED, MOST_EXCLUDED] = [500, 1_000, 10_000];
/** Most bytes of a request's body. */
export const BODY_BYTES = 256 * 1024;
/** Most characters of an entity. */
export const MAX_ID = 600;
/** Requests of one client in a minute, unless said: another service asks for all of its users. */
export const REQUESTS = 120_000;
