/** Findings in JSON text. */
export interface JsonFindings {
  /** The deepest nesting of objects and arrays. */
  readonly depth: number;
  /** Whether any object, at any depth, has a field `__proto__`, written with escapes or not. */
  readonly protoField: boolean;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;

/**
 * Inspects text that JSON.parse has accepted. The text and not the parsed value, since a parsed value lacks the first of
 * two fields with one name. A loop and not recursion, which could run out of stack.
 */
export function inspectJson(text: string): JsonFindings {
  let depth = 0;
  let deepest = 0;
  let protoField = false;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit === QUOTE) {
      const end = endOfString(text, index);
      protoField ||= isField(text, end + 1) && isProto(text.slice(index, end + 1));
      index = end;
    } else if (unit === 0x7b || unit === 0x5b) {
      depth++;
      if (depth > deepest) deepest = depth;
    } else if (unit === 0x7d || unit === 0x5d) {
      depth--;
    }
  }
  return { depth: deepest, protoField };
}

/** The index of the quote that closes the string opened at `start`. */
function endOfString(text: string, start: number): number {
  let index = start + 1;
  while (index < text.length && text.charCodeAt(index) !== QUOTE) {
    index += text.charCodeAt(index) === BACKSLASH ? 2 : 1;
  }
  return index;
}

/** Whether the string that ends just before `index` is the name of a field. */
function isField(text: string, index: number): boolean {
  let at = index;
  while (' \t\n\r'.includes(text.charAt(at)) && at < text.length) at++;
  return text.charCodeAt(at) === COLON;
}

function isProto(quoted: string): boolean {
  // Nine characters, each at most an escape of six characters, and two quotes.
  return quoted.length <= 9 * 6 + 2 && JSON.parse(quoted) === '__proto__';
}
