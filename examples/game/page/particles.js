// What flies about for a moment: eaten pearls into their eater, the trail of a dash, the burst of who was swallowed.

const MOST = 220;
const TAU = Math.PI * 2;

export class Particles {
  #all = []; // {x, y, vx, vy, radius, hue, born, lasts, to}; `to` is whom it flies to

  eaten(pearl, hue, blobs) {
    let eater = null;
    for (const blob of blobs.values()) {
      const gap = Math.hypot(blob.x - pearl.x, blob.y - pearl.y) - blob.radius;
      if (gap < 40 && (!eater || gap < eater.gap)) eater = { blob, gap };
    }
    this.#add({ ...pearl, vx: 0, vy: 0, radius: 6, hue, lasts: 180, to: eater?.blob });
  }

  trail({ x, y, vx, vy, radius }, hue) {
    this.#add({ x, y, vx: vx * -0.08, vy: vy * -0.08, radius: radius * 0.8, hue, lasts: 320, ghost: true });
  }

  burst({ x, y, radius }, hue) {
    for (let part = 0; part < 18; part++) {
      const angle = (part / 18) * TAU + Math.random();
      const speed = 2 + Math.random() * 5;
      this.#add({ x, y, vx: Math.cos(angle) * speed, vy: Math.sin(angle) * speed, radius: radius * (0.1 + Math.random() * 0.2), hue, lasts: 700 });
    }
  }

  draw(pen, now, light) {
    this.#all = this.#all.filter((one) => now - (one.born ??= now) < one.lasts);
    for (const one of this.#all) {
      const part = (now - one.born) / one.lasts;
      if (one.to) {
        one.x += (one.to.x - one.x) * 0.2;
        one.y += (one.to.y - one.y) * 0.2;
      }
      one.x += one.vx;
      one.y += one.vy;
      pen.fillStyle = `hsl(${one.hue} 75% ${light}% / ${(1 - part) * (one.ghost ? 0.16 : 0.85)})`;
      pen.beginPath();
      pen.arc(one.x, one.y, one.radius * (1 - part * 0.6), 0, TAU);
      pen.fill();
    }
  }

  #add(particle) {
    this.#all.push(particle);
    if (this.#all.length > MOST) this.#all.shift();
  }
}
