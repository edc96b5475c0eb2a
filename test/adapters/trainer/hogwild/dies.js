/** A stepper's entry that dies before its first step. */
throw new Error('out of luck');
