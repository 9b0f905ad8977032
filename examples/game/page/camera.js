// Which part of the arena is seen: it follows somebody, softly, and steps back from those who are large.

const OUTSIDE = 70; // pixels beyond the walls that may be seen

export class Camera {
  x = NaN;
  y = NaN;
  scale = 1;

  /** A frame: towards `blob`, if there is one, in `view`: its size and where its free part's middle is, in pixels. */
  follow(blob, arena, view, calm) {
    const { width, height } = view;
    const isNew = Number.isNaN(this.x);
    if (isNew) [this.x, this.y] = [arena.width / 2, arena.height / 2];
    const radius = blob?.radius ?? 40;
    const wish = Math.min(1.5, Math.max(0.6, Math.sqrt(width * height) / 780)) / (1 + Math.max(0, radius - 25) / 300);
    this.scale = isNew ? wish : this.scale + (wish - this.scale) * (calm ? 1 : 0.05);
    if (!blob) return;
    const x = within(blob.x + (width / 2 - view.x) / this.scale, width / 2 - OUTSIDE, arena.width, this.scale);
    const y = within(blob.y + (height / 2 - view.y) / this.scale, height / 2 - OUTSIDE, arena.height, this.scale);
    const pull = isNew || calm || Math.hypot(x - this.x, y - this.y) > 1200 ? 1 : 0.14;
    this.x += (x - this.x) * pull;
    this.y += (y - this.y) * pull;
  }

  /** Where a point of the arena is seen, in pixels. */
  pixels({ x, y }, { width, height }) {
    return { x: (x - this.x) * this.scale + width / 2, y: (y - this.y) * this.scale + height / 2 };
  }
}

/** Keeps `half` a window, in pixels, between the walls, as far as there is room. */
function within(at, half, length, scale) {
  const margin = Math.min(half / scale, length / 2);
  return Math.max(margin, Math.min(length - margin, at));
}
