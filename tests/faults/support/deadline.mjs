// Deadlines: every wait of these tests has one and says what it waited for.

/** `promise`, or an error that names `what` once `ms` milliseconds have passed. */
export function within(promise, ms, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Asks `check` (async; a thrown error counts as "not yet") until it is truthy; fails after `ms` milliseconds. */
export async function until(check, ms, what) {
  const end = Date.now() + ms;
  let last;
  for (;;) {
    try {
      const answer = await check();
      if (answer) return answer;
      last = answer;
    } catch (error) {
      last = error.message;
    }
    if (Date.now() >= end) throw new Error(`${what}: not within ${ms} ms (last: ${last})`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
