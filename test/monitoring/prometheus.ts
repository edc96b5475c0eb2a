import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { z } from 'zod';
import { freePorts } from '../../broker/properties.ts';
import { freshFolder } from '../fresh-folder.ts';
import { MONITORING, prometheusConfig, RULE_FILES } from './shipped.ts';

/** Whether tests that need a tool of Prometheus run: if the tool is installed, and always in CI. */
export function there(tool: 'promtool' | 'prometheus'): boolean {
  const found = process.env['CI'] === 'true' || spawnSync(tool, ['--version']).status === 0;
  if (!found)
    console.warn(`Without ${tool} some tests are skipped: ${there.how}, or CI=true to run them anyway.`);
  return found;
}
there.how = 'needs apt-get install prometheus';

/** Runs promtool in the folder of the rules; its output is the message of a failure. */
export function promtool(...args: string[]): void {
  const { status, stdout, stderr, error } = spawnSync('promtool', args, {
    cwd: MONITORING,
    encoding: 'utf8',
  });
  expect(status, error ? `promtool ${there.how}: ${error.message}` : `${stdout}${stderr}`).toBe(0);
}

const rulesAnswer = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.looseObject({ name: z.string(), health: z.string(), lastError: z.string().optional() }),
      ),
    }),
  ),
});
const alertsAnswer = z.object({
  alerts: z.array(z.object({ labels: z.record(z.string(), z.string()), state: z.string() })),
});
const queryAnswer = z.object({
  result: z.array(
    z.object({ metric: z.record(z.string(), z.string()), value: z.tuple([z.number(), z.string()]) }),
  ),
});

/** A Prometheus with the shipped configuration, pointed at one process for each job and with short intervals. */
export class Prometheus {
  readonly #url: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  stderr = '';

  private constructor(url: string, child: ChildProcess) {
    this.#url = url;
    this.#child = child;
    this.#ended = once(child, 'close');
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
  }

  /** targets: host:port by job. */
  static async scraping(targets: Readonly<Record<string, string>>): Promise<Prometheus> {
    const folder = await freshFolder();
    const config = {
      ...prometheusConfig(),
      global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
      rule_files: RULE_FILES.map((name) => join(MONITORING, name)),
      scrape_configs: Object.entries(targets).map(([job, target]) => ({
        job_name: job,
        static_configs: [{ targets: [target] }],
      })),
    };
    const path = join(folder, 'prometheus.yaml');
    await writeFile(path, JSON.stringify(config));
    const address = `127.0.0.1:${(await freePorts()).broker}`;
    const child = spawn('prometheus', [
      `--config.file=${path}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=${address}`,
      '--log.level=warn',
    ]);
    await once(child, 'spawn');
    return new Prometheus(`http://${address}`, child);
  }

  /** Values of an instant query, as text. */
  async query(expr: string): Promise<string[]> {
    const { result } = queryAnswer.parse(await this.#get(`query?query=${encodeURIComponent(expr)}`));
    return result.map(({ value: [, value] }) => value);
  }

  /** Each rule with the result of its last evaluation, as `name ok`. */
  async rules(): Promise<string[]> {
    const { groups } = rulesAnswer.parse(await this.#get('rules'));
    return groups.flatMap(({ rules }) =>
      rules.map(({ name, health, lastError = '' }) => `${name} ${health} ${lastError}`.trim()),
    );
  }

  /** Pending and firing alerts, as `name state`. */
  async alerts(): Promise<string[]> {
    const { alerts } = alertsAnswer.parse(await this.#get('alerts'));
    return alerts.map(({ labels, state }) => `${labels['alertname']} ${state}`);
  }

  async remove(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  /** The data of an answer of the API. @throws on any other answer, and while Prometheus starts. */
  async #get(path: string): Promise<unknown> {
    const answer = await fetch(`${this.#url}/api/v1/${path}`);
    const text = await answer.text();
    if (!answer.ok)
      throw new Error(`Prometheus answered ${answer.status} to ${path}: ${text}\n${this.stderr}`);
    return z.object({ data: z.unknown() }).parse(JSON.parse(text)).data;
  }
}
