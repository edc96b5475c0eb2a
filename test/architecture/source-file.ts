import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { parseAst } from 'vitest/node';

export interface Import {
  /** Path from the checkout's root, or a package's or node: name; {@link COMPUTED} when only running it tells. */
  readonly to: string;
  readonly typeOnly: boolean;
}

/** What the rules look at in a file; paths have forward slashes, from the checkout's root. */
export interface SourceFile {
  readonly path: string;
  readonly imports: readonly Import[];
  /** Where it reads a clock, a random source or the process by itself: `Date.now`, `process`, … */
  readonly surroundings: readonly string[];
  /** `any`, and `as` other than `as const`. */
  readonly loose: readonly string[];
}

export const COMPUTED = '(computed)';

const OWN_CLOCKS = [
  'Date.now',
  'Math.random',
  'performance.now',
  'crypto.randomUUID',
  'crypto.getRandomValues',
];
/** AssemblyScript's own, which TypeScript's grammar does not have on functions. */
const DECORATORS = /^\s*@(inline|unmanaged|unsafe|external)\b.*$/gm;

type Node = Readonly<Record<string, unknown>>;

export function readSource(root: string, path: string): SourceFile {
  return parseSource(path, readFileSync(`${root}/${path}`, 'utf8'));
}

/** Reads a file by its syntax tree, so that text in strings and comments counts for nothing. */
export function parseSource(path: string, text: string): SourceFile {
  const imports: Import[] = [];
  const surroundings: string[] = [];
  const loose: string[] = [];
  const found = (source: unknown, typeOnly: boolean) =>
    imports.push({ to: resolve(path, literal(source)), typeOnly });
  for (const node of nodesOf(parseAst(text.replace(DECORATORS, ''), { lang: 'ts' }))) {
    switch (node['type']) {
      case 'ImportDeclaration':
      case 'ExportNamedDeclaration':
      case 'ExportAllDeclaration':
        if (node['source']) found(node['source'], isTypeOnly(node));
        break;
      case 'ImportExpression':
        found(node['source'], false);
        break;
      case 'TSImportType':
        found(node['source'], true);
        break;
      case 'NewExpression':
        if (nameOf(node['callee']) === 'URL' && besideItself(node)) found(list(node['arguments'])[0], false);
        if (nameOf(node['callee']) === 'Date' && list(node['arguments']).length === 0) {
          surroundings.push('new Date()');
        }
        break;
      case 'MemberExpression':
        if (OWN_CLOCKS.includes(nameOf(node))) surroundings.push(nameOf(node));
        else if (nameOf(node['object']) === 'process') surroundings.push(nameOf(node));
        break;
      case 'TSAnyKeyword':
        loose.push('any');
        break;
      case 'TSAsExpression':
        if (nameOf(child(node, 'typeAnnotation')?.['typeName']) !== 'const') loose.push('as');
        break;
    }
  }
  return { path, imports, surroundings, loose };
}

function* nodesOf(value: unknown): Generator<Node> {
  if (Array.isArray(value)) for (const item of value) yield* nodesOf(item);
  else if (isNode(value)) {
    yield value;
    for (const key of Object.keys(value)) yield* nodesOf(value[key]);
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function child(node: Node, key: string): Node | undefined {
  const value = node[key];
  return isNode(value) ? value : undefined;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** `Date.now` of such an expression, `URL` of an identifier; empty for what has no plain name. */
function nameOf(node: unknown): string {
  if (!isNode(node)) return '';
  if (node['type'] === 'Identifier') return String(node['name']);
  if (node['type'] === 'MemberExpression') return `${nameOf(node['object'])}.${nameOf(node['property'])}`;
  return '';
}

function isTypeOnly(node: Node): boolean {
  const kinds = [node, ...list(node['specifiers']).filter(isNode)].map(
    (part) => part['importKind'] ?? part['exportKind'],
  );
  return kinds[0] === 'type' || (kinds.length > 1 && kinds.slice(1).every((kind) => kind === 'type'));
}

/** Whether it is `new URL(…, import.meta.url)`, which names a worker or an asset. */
function besideItself(node: Node): boolean {
  const base = list(node['arguments'])[1];
  return isNode(base) && child(base, 'object')?.['type'] === 'MetaProperty';
}

/** A string, or a template's fixed beginning: what follows a worker's name is its extension. */
function literal(node: unknown): string | undefined {
  if (!isNode(node)) return undefined;
  if (node['type'] === 'Literal') return String(node['value']);
  if (node['type'] !== 'TemplateLiteral') return undefined;
  const [first] = list(node['quasis']);
  const start = isNode(first) ? child(first, 'value')?.['cooked'] : undefined;
  return start ? `${String(start)}.ts` : undefined;
}

function resolve(from: string, specifier: string | undefined): string {
  if (specifier === undefined) return COMPUTED;
  return specifier.startsWith('.') ? posix.join(posix.dirname(from), specifier) : specifier;
}
