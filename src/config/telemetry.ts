import type { TelemetrySettings } from '../telemetry/start.ts';

const EXPORTERS = ['otlp', 'console', 'none'];
const PROTOCOLS = ['http/protobuf', 'http/json', 'grpc'];

/**
 * Whether the standard OTEL_ variables ask for traces and metrics: a variable that names an exporter or an endpoint does.
 * `problems` gets a line for each unusable variable. undefined: nothing is to be sent.
 */
export function readTelemetry(env: NodeJS.ProcessEnv, problems: string[]): TelemetrySettings | undefined {
  if (env['OTEL_SDK_DISABLED']?.toLowerCase() === 'true') return undefined;
  const signal = (name: 'TRACES' | 'METRICS') => {
    const exporter = env[`OTEL_${name}_EXPORTER`] || undefined;
    check(`OTEL_${name}_EXPORTER`, exporter, EXPORTERS, problems);
    check(
      `OTEL_EXPORTER_OTLP_${name}_PROTOCOL`,
      env[`OTEL_EXPORTER_OTLP_${name}_PROTOCOL`],
      PROTOCOLS,
      problems,
    );
    const endpoint = `OTEL_EXPORTER_OTLP_${name}_ENDPOINT`;
    checkEndpoint(endpoint, env[endpoint], problems);
    if (exporter !== undefined) return exporter !== 'none';
    return Boolean(env[endpoint] || env['OTEL_EXPORTER_OTLP_ENDPOINT']);
  };
  check('OTEL_EXPORTER_OTLP_PROTOCOL', env['OTEL_EXPORTER_OTLP_PROTOCOL'], PROTOCOLS, problems);
  checkEndpoint('OTEL_EXPORTER_OTLP_ENDPOINT', env['OTEL_EXPORTER_OTLP_ENDPOINT'], problems);
  const settings = { traces: signal('TRACES'), metrics: signal('METRICS') };
  return settings.traces || settings.metrics ? settings : undefined;
}

function check(name: string, value: string | undefined, known: readonly string[], problems: string[]): void {
  if (value === undefined || value === '' || known.includes(value)) return;
  problems.push(`${name}: expected one of ${known.join(', ')}, seen ${JSON.stringify(value)}`);
}

/** The message leaves out the value: a URL can hold a password. */
function checkEndpoint(name: string, value: string | undefined, problems: string[]): void {
  if (value === undefined || value === '' || /^https?:$/.test(URL.parse(value)?.protocol ?? '')) return;
  problems.push(`${name}: expected http:// or https://, such as http://localhost:4318, seen something else`);
}
