import { UsageError } from '../errors/errors.ts';

/** A question that can't be answered as it is asked. */
export class WrongQuestion extends UsageError {
  /** Of the question. */
  readonly field: string;

  constructor(field: string, reason: string) {
    super('question', `${field}: ${reason}`);
    this.field = field;
  }
}
