/** A stepper's entry that ends as if it were done. */
process.exit(3);
