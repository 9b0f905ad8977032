// Seeded randomness, so that a failed run can be run again: FAULTS_SEED sets the seed, each user prints it.

/** The seed of this run. */
export const SEED = Number(process.env.FAULTS_SEED) || (Date.now() & 0x7fffffff);

/** A generator of numbers in [0, 1): mulberry32. */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** An integer from `low` to `high`, both included. */
export function between(next, low, high) {
  return low + Math.floor(next() * (high - low + 1));
}
