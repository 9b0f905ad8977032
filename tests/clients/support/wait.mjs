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

/** The next `name` event of an emitter (either kind: `once` or `addEventListener`), as the array of its arguments. */
export function event(emitter, name, what = `event "${name}"`, ms = DEADLINE) {
  return within(new Promise((resolve) => emitter.once(name, (...args) => resolve(args))), what, ms);
}

/** Asks `question` again and again until it answers true; for states that nothing announces. */
export async function until(question, what, ms = DEADLINE) {
  const end = Date.now() + ms;
  while (!(await question())) {
    if (Date.now() > end) throw new Error(`${what}: not within ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A queue between a callback that produces and a test that takes, one at a time, in order. */
export class Inbox {
  #items = [];
  #takers = [];
  #end;

  push(item) {
    const taker = this.#takers.shift();
    if (taker) taker.resolve(item);
    else this.#items.push(item);
  }

  /** No more will come: whoever waits, now or later, gets `error` once the queue is empty. */
  end(error) {
    this.#end ??= error;
    for (const taker of this.#takers.splice(0)) taker.reject(this.#end);
  }

  get size() {
    return this.#items.length;
  }

  take(what = "a message", ms = DEADLINE) {
    if (this.#items.length > 0) return Promise.resolve(this.#items.shift());
    if (this.#end) return Promise.reject(this.#end);
    const next = new Promise((resolve, reject) => this.#takers.push({ resolve, reject }));
    return within(next, what, ms);
  }

  async takeMany(count, what = `${count} messages`, ms = DEADLINE) {
    const taken = [];
    const end = Date.now() + ms;
    while (taken.length < count) {
      taken.push(await this.take(`${what} (have ${taken.length} of ${count})`, Math.max(1, end - Date.now())));
    }
    return taken;
  }
}
