/** One line without its end. */
export interface Line {
  /** From 1. */
  readonly line: number;
  /** null when the line is longer than is read. */
  readonly bytes: Buffer | null;
}

const LF = 0x0a;
const CR = 0x0d;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/**
 * The lines of a stream, ended by LF or CRLF; the last may lack its end, and a byte order mark at the start is left
 * out. A line of more than `maxBytes` is skipped to its end and given as null, never held.
 */
export async function* splitLines(chunks: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<Line> {
  let line = 0;
  /** The start of a line whose end hasn't come. */
  let held: Buffer[] = [];
  let heldBytes = 0;
  // CRLF and the mark may still come off.
  const slack = BYTE_ORDER_MARK.length + 1;

  const hold = (piece: Buffer): void => {
    heldBytes += piece.length;
    if (heldBytes <= maxBytes + slack) held.push(piece);
    else held = [];
  };
  const finish = (): Line => {
    line++;
    const whole = held.length === 1 ? held[0] : Buffer.concat(held);
    const bytes = heldBytes > maxBytes + slack ? null : stripped(whole ?? Buffer.alloc(0), line === 1);
    held = [];
    heldBytes = 0;
    return { line, bytes: bytes !== null && bytes.length > maxBytes ? null : bytes };
  };

  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, start)) {
      hold(chunk.subarray(start, end));
      yield finish();
      start = end + 1;
    }
    if (start < chunk.length) hold(chunk.subarray(start));
  }
  if (heldBytes > 0) yield finish();
}

function stripped(bytes: Buffer, first: boolean): Buffer {
  const start =
    first && bytes.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK.length : 0;
  const end = bytes.at(-1) === CR ? bytes.length - 1 : bytes.length;
  return bytes.subarray(start, Math.max(start, end));
}
