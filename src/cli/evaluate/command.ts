import type { Command } from 'commander';
import type { CommandContext } from '../context.ts';
import { addEvaluateKgCommand } from './kg.ts';
import { addEvaluateStreamCommand } from './stream.ts';

/** Puts `twhin evaluate` and its subcommands on the command line. */
export function addEvaluateCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('evaluate')
    .description('measure how good the vectors are, in a temporary store; nothing live is touched');
  addEvaluateKgCommand(command, context);
  addEvaluateStreamCommand(command, context);
}
