// Waiting with a deadline: every test waits for an event, and says what it waited for when the event does not come.

/** How long one awaited thing may take, in milliseconds; far above what it needs, so that a loaded machine passes. */
export const DEADLINE = 15_000;

/** The value of `promise`, or an error that names `what` once `ms` milliseconds have passed. */
export async function within(promise, what, ms = DEADLINE) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The arguments, as an array, of the next event `name` of an emitter with `once` (client, ws, net ...). */
export function once(emitter, name, ms = DEADLINE) {
  return within(new Promise((resolve) => emitter.once(name, (...args) => resolve(args))), `event "${name}"`, ms);
}

/** Lets `ms` milliseconds pass: only for what must *not* happen in them, never to wait for something. */
export const pass = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
