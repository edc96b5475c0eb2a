// The companion's process: runs commands one after the other, each in the folder and environment that it is sent with.
import { z } from 'zod';
import { main } from '../../src/cli/main.ts';
import type { Output } from '../../src/cli/output.ts';

const commandSchema = z.object({
  args: z.array(z.string()),
  cwd: z.string(),
  env: z.record(z.string(), z.string()),
});

let last = Promise.resolve();
process.on('message', (message) => {
  last = last.then(() => run(commandSchema.parse(message)));
});
// The process of the tests has ended, however it did.
process.on('disconnect', () => process.exit());

async function run({ args, cwd, env }: z.infer<typeof commandSchema>): Promise<void> {
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, env);
  process.chdir(cwd);
  const said = { stdout: '', stderr: '' };
  const output: Output = {
    out: (line) => {
      said.stdout += `${line}\n`;
    },
    err: (line) => {
      said.stderr += `${line}\n`;
    },
    status: () => undefined,
  };
  const code = await main(args, output);
  process.send?.({ code, ...said });
}
