import { z } from 'zod';
import { entityKey } from '../src/graph/entity.ts';
import { idField, instantField } from './fields.ts';
import { defineTopic, type EventTopic } from './topic.ts';

/** `{userId, adId, advertiserId, at}`: a user clicks an ad. The event also says that the advertiser promotes the ad. */
export const adClick: EventTopic = defineTopic({
  name: 'ad-click',
  schema: z.object({ userId: idField, adId: idField, advertiserId: idField, at: instantField }),
  key: (event) => event.userId,
  changes: ({ userId, adId, advertiserId, at }) => {
    const ad = entityKey('ad', adId);
    return [
      { lhs: entityKey('user', userId), relation: 'clicks', rhs: ad, at, removed: false },
      { lhs: entityKey('advertiser', advertiserId), relation: 'promotes', rhs: ad, at, removed: false },
    ];
  },
});
