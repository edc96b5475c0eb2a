// node await-leader.mjs URL SECONDS: ends once URL answers 200, or after SECONDS. Never fails, because a standby must also
// start when its leader is lost.
const [url, seconds] = process.argv.slice(2);
const LOOK_EVERY_MS = 1_000;
const ANSWER_MS = 3_000;
const deadline = Date.now() + Number(seconds) * 1_000;

// Without a handler, process 1 of a container ignores these signals.
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(1));

console.log(`waiting up to ${seconds} s for ${url}`);
while (!(await isReady()) && Date.now() < deadline) {
  await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
}

async function isReady() {
  try {
    const { status } = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) });
    console.log(status === 200 ? 'the leader is ready' : `the leader answers ${status}`);
    return status === 200;
  } catch (error) {
    console.log(`the leader does not answer: ${error.cause?.message ?? error.message}`);
    return false;
  }
}
