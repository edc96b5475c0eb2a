// @ts-check

/** @typedef {import('../../serve/answers.ts').Answer} Candidates */
/** @typedef {import('../../serve/answers.ts').SimilarAnswer} Similar */
/** @typedef {import('../../serve/answers.ts').SearchAnswer} Found */
/** @typedef {import('../../serve/answers.ts').RankAnswer} Ranked */
/** @typedef {import('../../serve/answers.ts').RecentAnswer} Recent */
/** @typedef {import('../../serve/answers.ts').StatusAnswer} Status */
/** @typedef {{ groups: Record<string, string[]> }} Groups */
/** @typedef {{ at: number, topic: string }} Sent */

/** An answer that is none. code: the HTTP status; 0 where nothing answers. */
export class Refusal extends Error {
  /**
   * @param {string} reason
   * @param {number} code
   * @param {string} [field]
   */
  constructor(reason, code, field) {
    super(reason);
    this.code = code;
    this.field = field;
  }
}

/**
 * @param {string} path
 * @param {Record<string, string>} [query]
 * @param {object} [body] what is posted; none: a GET
 * @returns {Promise<any>}
 * @throws {Refusal}
 */
async function ask(path, query = {}, body = undefined) {
  const text = new URLSearchParams(query).toString();
  const init = body && {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  };
  /** @type {Response} */
  let response;
  /** @type {any} */
  let answer;
  try {
    response = await fetch(text === '' ? path : `${path}?${text}`, init);
    answer = await response.json();
  } catch {
    throw new Refusal('twhin serve does not answer', 0);
  }
  if (response.ok) return answer;
  throw new Refusal(answer.error ?? `twhin serve answers ${response.status}`, response.status, answer.field);
}

/** @type {() => Promise<Status>} */
export const status = () => ask('/v1/status');
/** @type {(type: string) => Promise<{ entity: string }>} */
export const random = (type) => ask('/v1/random', { type });
/** @type {(entity: string, k: number) => Promise<Recent>} */
export const recent = (entity, k) => ask('/v1/recent', { entity, k: String(k) });
/** @type {(question: Record<string, string>, from: string, k: number) => Promise<Candidates>} */
export const candidates = (question, from, k) =>
  ask('/v1/candidates', { ...question, from, k: String(k), explain: 'true' });
/** @type {(entity: string, k: number) => Promise<Similar>} */
export const similar = (entity, k) => ask('/v1/similar', { entity, k: String(k), explain: 'true' });
/** @type {(q: string, type: string, k: number) => Promise<Found>} */
export const search = (q, type, k) => ask('/v1/search', { q, type, k: String(k) });
/** @type {(from: string, relation: string, candidates: string[]) => Promise<Ranked>} */
export const rank = (from, relation, list) => ask('/v1/rank', {}, { from, relation, candidates: list });
/** The groups of entities. Only a demo has them. @type {(entities: string[]) => Promise<Groups>} */
export const groups = (entities) => ask('/demo/groups', {}, { entities });
/** Sends an event. Only a demo does. @type {(action: string, user: string, entity: string) => Promise<Sent>} */
export const act = (action, user, entity) => ask('/demo/action', {}, { action, user, entity });
