// Snapshots come 30 times a second, sooner or later than they should; what is drawn moves smoothly between two of
// them. For that it is drawn a little behind: by as much as snapshots are late, and no more.

const KEPT = 40; // snapshots
const LEAST = 1.5; // ticks behind the newest one
const MOST = 12;
const AHEAD = 3; // ticks that things go on moving when snapshots stay out
const JUMP = 300; // units: nobody moves so far in a tick, it is somewhere else now

export class Timeline {
  #ticks; // in a millisecond
  #snapshots = [];
  #fastest = Infinity; // the time of arrival minus the tick, in ticks, of the snapshot that was least late
  #late = 0; // how late they are, about
  #behind = LEAST;
  #shown = -1; // tick of the newest snapshot whose eaten pearls were told

  constructor(ticksPerSecond) {
    this.#ticks = ticksPerSecond / 1000;
  }

  /** Takes a snapshot that came at `now`, in milliseconds. */
  push(snapshot, now) {
    if (this.#snapshots.length && snapshot.tick <= this.#snapshots.at(-1).tick) return;
    const offset = now * this.#ticks - snapshot.tick;
    if (Math.abs(offset - this.#fastest) > 60) [this.#fastest, this.#late] = [offset, 0]; // it slept, or is new
    // The two clocks drift: what was fastest once does not count for ever.
    this.#fastest = Math.min(this.#fastest + 0.002, offset);
    this.#late = Math.max(this.#late * 0.985, offset - this.#fastest);
    this.#snapshots.push(snapshot);
    if (this.#snapshots.length > KEPT) this.#snapshots.shift();
  }

  /** How far behind the newest possible snapshot things are drawn, in milliseconds. */
  get behind() {
    return this.#behind / this.#ticks;
  }

  /** What to draw at `now`: {tick, blobs: Map of id, pearls, eaten}, or null while there is nothing. */
  at(now) {
    if (!this.#snapshots.length) return null;
    const wish = Math.min(MOST, Math.max(LEAST, this.#late + 1));
    this.#behind += (wish - this.#behind) * 0.03; // slowly: time must not jump
    const newest = this.#snapshots.at(-1);
    const tick = Math.min(now * this.#ticks - this.#fastest - this.#behind, newest.tick + AHEAD);
    let index = this.#snapshots.findLastIndex((one) => one.tick <= tick);
    index = Math.max(0, Math.min(index, this.#snapshots.length - 2));
    const [from, to = from] = this.#snapshots.slice(index, index + 2);
    const span = to.tick - from.tick || 1;
    const blobs = new Map();
    for (const [id, blob] of to.blobs) blobs.set(id, between(from.blobs.get(id) ?? blob, blob, (tick - from.tick) / span, span));
    return { tick, blobs, pearls: to.pearls, eaten: this.#eaten(index + 1) };
  }

  /** Where pearls were that are gone since the last time. */
  #eaten(until) {
    const eaten = [];
    for (let index = 1; index <= until && index < this.#snapshots.length; index++) {
      const [before, after] = [this.#snapshots[index - 1], this.#snapshots[index]];
      if (after.tick <= this.#shown) continue;
      this.#shown = after.tick;
      before.pearls.forEach((pearl, number) => {
        const now = after.pearls[number];
        if (now && (now.x !== pearl.x || now.y !== pearl.y)) eaten.push({ ...pearl, number });
      });
    }
    return eaten;
  }
}

function between(from, to, part, span) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  if (Math.hypot(dx, dy) > JUMP) return { ...to, vx: 0, vy: 0 };
  return {
    ...to,
    x: from.x + dx * part,
    y: from.y + dy * part,
    radius: from.radius + (to.radius - from.radius) * Math.min(1, part),
    vx: dx / span, // units a tick
    vy: dy / span,
  };
}
