import { BAD_EVENTS, type ErrorClass, type ErrorEntry, SUBJECTS } from '../../src/errors/registry.ts';

const CLASSES: Readonly<Record<ErrorClass, string>> = {
  fatal: 'fatal',
  retryable: 'retryable',
  usage: 'usage',
  'bad-event': 'bad event',
  bug: 'bug',
};

const OPENING = `# Errors

This page is generated from \`src/errors/registry.ts\` by \`npm run docs\`.

Every error has a code. A command that fails prints the code before the message. A log line about a send that is tried
again has the code in its field \`code\`.

\`\`\`
twhin: [store-in-use] the store of engagement in state/engagement is in use by another process (…)
\`\`\`

The class of the error says what the program does next:

| class | what the program does |
| --- | --- |
| usage | Nothing was started. The command ends with exit code 2. |
| fatal | The command or the updater stops with exit code 1, because continuing would lose or corrupt data. |
| retryable | A running updater tries again, with a pause that grows. A command that ends once ends with exit code 1. |
| bad event | One record goes to the dead letters, and the stream continues. |
| bug | A part of the program was used in a wrong way. |

The [runbook](runbook.md) has the commands for the cases that need several steps.
`;

const LETTERS = `## Dead letters

A record that cannot be used goes to the topic \`dead-letter\`; the header \`code\` has one of these codes. They are part of
the [wire contract](wire-contract.md#dead-letters).

| code | what happened | what to do |
| --- | --- | --- |
`;

/** The text of `docs/errors.md`. */
export function errorsPage(): string {
  const subjects = SUBJECTS.map(([title, entries]) => `## ${title}\n\n${sections(entries)}`);
  const letters = Object.entries<ErrorEntry>(BAD_EVENTS).map(
    ([code, { happened, remedy }]) => `| \`${code}\` | ${happened} | ${remedy} |\n`,
  );
  return [OPENING, ...subjects, LETTERS + letters.join('')].join('\n');
}

function sections(entries: Readonly<Record<string, ErrorEntry>>): string {
  return Object.entries(entries)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([code, entry]) =>
        `### ${code}\n\n*${CLASSES[entry.class]}* · ${entry.happened}\n\nWhat to do: ${entry.remedy}\n`,
    )
    .join('\n');
}
