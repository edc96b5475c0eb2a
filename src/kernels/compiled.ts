import { readFileSync } from 'node:fs';
import { FatalError } from '../errors/errors.ts';

export type Exported = (...values: number[]) => number;

/** An instance of a committed module on a memory, in any thread; its exports by name. */
export class CompiledInstance {
  readonly #exports: Readonly<Record<string, unknown>>;

  constructor(file: URL, memory: WebAssembly.Memory) {
    this.#exports = new WebAssembly.Instance(moduleOf(file), { env: { memory } }).exports;
  }

  /** @throws FatalError when the module has no global of a name. */
  setGlobals(values: Readonly<Record<string, unknown>>): void {
    for (const [name, value] of Object.entries(values)) this.#globalOf(name).value = value;
  }

  /** @throws FatalError when the module has no such global. */
  valueOf(name: string): unknown {
    return this.#globalOf(name).value;
  }

  /** @throws FatalError when the module has no such function. */
  functionOf(name: string): Exported {
    const found = this.#exports[name];
    if (typeof found === 'function') return found as Exported;
    throw outdated(name);
  }

  #globalOf(name: string): { value: unknown } {
    const found = this.#exports[name];
    if (typeof found === 'object' && found !== null && 'value' in found) return found;
    throw outdated(name);
  }
}

const compiled = new Map<string, WebAssembly.Module>();

/** The module of a file, compiled once per thread. */
function moduleOf(file: URL): WebAssembly.Module {
  const known = compiled.get(file.href);
  if (known !== undefined) return known;
  const module = new WebAssembly.Module(readFileSync(file));
  compiled.set(file.href, module);
  return module;
}

function outdated(name: string): FatalError {
  return new FatalError('kernel', `the compiled kernel has no ${name}; compile it again: npm run kernel`);
}
