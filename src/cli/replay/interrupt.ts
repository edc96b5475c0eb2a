const SAME_SIGNAL_MS = 300;

export interface Interrupt {
  interrupted(): boolean;
  /** Signals end the process again. */
  ignore(): void;
}

/** The first signal interrupts, a second one ends the process. */
export function onSignal(interrupt: () => void): Interrupt {
  let at: number | undefined;
  const handle = (): void => {
    // One signal to a whole process group can arrive twice: by itself and passed on by the parent.
    if (at !== undefined && performance.now() - at < SAME_SIGNAL_MS) return;
    if (at !== undefined) process.exit(1);
    at = performance.now();
    interrupt();
  };
  process.on('SIGINT', handle);
  process.on('SIGTERM', handle);
  return {
    interrupted: () => at !== undefined,
    ignore: () => {
      process.off('SIGINT', handle);
      process.off('SIGTERM', handle);
    },
  };
}
