import type { Attributes, Span } from '@opentelemetry/api';
import { describe, expect, test } from 'vitest';
import { CommitSpans } from '../../src/telemetry/commit-spans.ts';

interface Made {
  readonly name: string;
  readonly from: number;
  to: number | undefined;
  readonly attributes: Attributes;
  readonly parent: Made | undefined;
  status: unknown;
}

function setUp() {
  const now = { ms: 0 };
  const made: Made[] = [];
  const bySpan = new Map<Span, Made>();
  const spans = new CommitSpans(
    'follow',
    (name, from, attributes, parent) => {
      const one: Made = {
        name,
        from,
        to: undefined,
        attributes,
        status: undefined,
        parent: parent && bySpan.get(parent),
      };
      const span: Span = {
        end: (at) => {
          one.to = Number(at);
        },
        setStatus: (status) => {
          one.status = status;
          return span;
        },
        spanContext: () => ({ traceId: '', spanId: '', traceFlags: 1 }),
        isRecording: () => true,
        setAttribute: () => span,
        setAttributes: () => span,
        updateName: () => span,
        addEvent: () => span,
        addLink: () => span,
        addLinks: () => span,
        recordException: () => undefined,
      };
      made.push(one);
      bySpan.set(span, one);
      return span;
    },
    () => now.ms,
  );
  const at = (ms: number) => {
    now.ms = ms;
    return spans;
  };
  const told = () => made.map(({ name, from, to }) => `${name.slice('twhin.'.length)} ${from}-${to}`);
  return { spans, at, made, told };
}

const size = (records: number, vectors: number) => ({ records, vectors });

describe('CommitSpans', () => {
  test('make one trace for each commit, from the first record to the last acknowledgement', () => {
    const { at, made, told } = setUp();
    at(50).batch(64, 40);
    at(60).batch(8, 5);
    at(70).step(20);
    at(80).asked(1);
    // Handed over after the commit, so part of the next commit. The answers come in the order of the hand-over.
    at(90).batch(3, 1);
    at(95).step(30);
    at(100).step(5);
    at(120).commit(1, 40, size(75, 2));
    at(150).publish(9, 25, new Map([[1, 1]]));
    expect(told()).toEqual([]);
    at(180).publish(1, 20, new Map([[1, 1]]));
    at(180).acknowledged(1);
    expect(told()).toEqual([
      'commit 10-180',
      'batch 10-50',
      'step 50-70',
      'batch 55-60',
      'step 65-95',
      'write 80-120',
      'publish 125-150',
      'publish 160-180',
    ]);
    expect(made[0]?.attributes).toEqual({ 'twhin.graph': 'follow', 'twhin.commit': 1, 'twhin.records': 75 });
    expect(made[1]?.attributes).toEqual({ 'twhin.edges': 64 });
    expect(made[6]?.attributes).toEqual({ 'messaging.batch.message_count': 9, 'twhin.vectors': 1 });
    expect(made.map(({ parent }) => parent)).toEqual([undefined, ...Array(7).fill(made[0])]);
    expect(made[0]?.status).toBeUndefined();
    at(200).asked(2);
    at(210).commit(2, 10, size(3, 0));
    at(210).acknowledged(2);
    expect(told().slice(8)).toEqual(['commit 89-210', 'batch 89-90', 'step 95-100', 'write 200-210']);
  });

  test('make no trace for a commit without records or an unknown commit', () => {
    const { at, made } = setUp();
    at(10).asked(1);
    at(20).commit(1, 10, size(0, 0));
    at(20).acknowledged(1);
    at(30).publish(5, 1, new Map([[0, 5]]));
    at(30).acknowledged(0);
    expect(made).toEqual([]);
  });

  test('end the trace of an unfinished commit in error, with its progress', () => {
    const { at, made, spans } = setUp();
    at(10).batch(1, 5);
    at(20).asked(1);
    at(30).batch(1, 5);
    at(40).asked(2);
    at(50).commit(1, 30, size(1, 1));
    spans.close();
    expect(made.flatMap(({ status }) => (status ? [status] : []))).toEqual([
      { code: 2, message: 'not all acknowledged' },
      { code: 2, message: 'not written' },
    ]);
    spans.close();
    expect(made.filter(({ parent }) => parent === undefined)).toHaveLength(2);
  });

  test('keep at most 500 open commits', () => {
    const { at, made } = setUp();
    for (let commit = 1; commit <= 502; commit++) {
      at(commit).batch(1, 0);
      at(commit).asked(commit);
    }
    const roots = made.filter(({ name }) => name === 'twhin.commit');
    expect(roots.map(({ attributes }) => attributes['twhin.commit'])).toEqual([1, 2]);
  });
});
