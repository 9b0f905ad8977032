// The canvas: the floor, pearls, blobs, what flies about, and the map. Colours come from the style sheet.

import { Camera } from "./camera.js";
import { Particles } from "./particles.js";

const GRID = 80; // units
const TAU = Math.PI * 2;

/** The hue of a player, the same in lists and on the floor. */
export function hue(id) {
  return Math.round((id * 137.508 + 160) % 360);
}

export class Painter {
  #canvas;
  #pen;
  #colours = {};
  #camera = new Camera();
  #particles = new Particles();
  #looks = new Map(); // id: where its eyes look, which way it is stretched
  #calm = matchMedia("(prefers-reduced-motion: reduce)");
  #pace = 16; // ms between frames, about
  #drawnAt = 0;
  #finest = 2; // pixels of the canvas for one of the page, at most

  constructor(canvas) {
    this.#canvas = canvas;
    this.#pen = canvas.getContext("2d");
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#readColours());
    new ResizeObserver(() => this.#resize()).observe(canvas);
    this.#readColours();
    this.#resize();
  }

  /** Where a blob is seen on the canvas, in pixels. */
  pixels(blob) {
    return this.#camera.pixels(blob, { width: this.#canvas.clientWidth, height: this.#canvas.clientHeight });
  }

  /** Bursts a blob that was swallowed. */
  burst(blob) {
    if (!this.#calm.matches) this.#particles.burst(blob, hue(blob.id));
  }

  /**
   * Draws a frame. `scene` as Timeline says it, `arena` {width, height, bigPearls}, `names` by id, `me` the own id,
   * `follow` the id of whom to look at, `leader` the largest one's, `middle` of what nothing covers, as parts of
   * the canvas.
   */
  frame({ scene, arena, names, me, follow, leader, middle }, now) {
    this.#keepPace(now);
    const pen = this.#pen;
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const ratio = this.#canvas.width / (width || 1);
    const view = { width, height, x: width * middle.x, y: height * middle.y };
    this.#camera.follow(scene.blobs.get(follow), arena, view, this.#calm.matches);
    const camera = this.#camera;

    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = this.#colours.outside;
    pen.fillRect(0, 0, width, height);
    pen.save();
    pen.translate(width / 2, height / 2);
    pen.scale(camera.scale, camera.scale);
    pen.translate(-camera.x, -camera.y);
    this.#floor(arena);
    for (const pearl of scene.eaten) if (!this.#calm.matches) this.#particles.eaten(pearl, pearlHue(pearl.number), scene.blobs);
    scene.pearls.forEach((pearl, number) => this.#pearl(pearl, number, arena, now));
    this.#particles.draw(pen, now, this.#colours.light);
    const blobs = [...scene.blobs.values()].sort((a, b) => a.radius - b.radius);
    for (const blob of blobs) this.#blob(blob, { me, leader, name: names.get(blob.id) ?? "" }, now);
    pen.restore();
    this.#map(scene, arena, me, width, height);
    for (const id of this.#looks.keys()) if (!scene.blobs.has(id)) this.#looks.delete(id);
  }

  /** A device that cannot draw so many pixels so often gets fewer of them. */
  #keepPace(now) {
    this.#pace += (Math.min(100, now - this.#drawnAt) - this.#pace) * 0.03;
    this.#drawnAt = now;
    if (this.#pace < 34 || this.#finest === 1) return;
    this.#finest = 1;
    this.#resize();
  }

  #floor({ width, height }) {
    const { x, y, scale } = this.#camera;
    const pen = this.#pen;
    pen.beginPath();
    pen.roundRect(0, 0, width, height, 36);
    pen.fillStyle = this.#colours.floor;
    pen.fill();
    pen.lineWidth = 6;
    pen.strokeStyle = this.#colours.edge;
    pen.stroke();
    pen.beginPath();
    for (const radius of [180, 420]) {
      pen.moveTo(width / 2 + radius, height / 2);
      pen.arc(width / 2, height / 2, radius, 0, TAU);
    }
    pen.strokeStyle = this.#colours.lines;
    pen.stroke();
    const [halfWidth, halfHeight] = [this.#canvas.clientWidth / 2 / scale, this.#canvas.clientHeight / 2 / scale];
    pen.fillStyle = this.#colours.dots;
    pen.beginPath();
    for (let column = GRID * Math.max(1, Math.ceil((x - halfWidth) / GRID)); column < Math.min(width, x + halfWidth); column += GRID) {
      for (let row = GRID * Math.max(1, Math.ceil((y - halfHeight) / GRID)); row < Math.min(height, y + halfHeight); row += GRID) {
        pen.rect(column - 1.5, row - 1.5, 3, 3);
      }
    }
    pen.fill();
  }

  #pearl({ x, y }, number, { bigPearls }, now) {
    const pen = this.#pen;
    const big = number < bigPearls;
    const breath = this.#calm.matches ? 0 : Math.sin(now / 400 + number);
    const radius = big ? 11 + breath : 5.5 + breath * 0.4;
    const colour = pearlHue(number);
    if (big) {
      pen.fillStyle = `hsl(${colour} 85% 60% / .22)`;
      circle(pen, x, y, radius * 1.9);
    }
    pen.fillStyle = `hsl(${colour} 75% ${this.#colours.pearl}%)`;
    circle(pen, x, y, radius);
    pen.fillStyle = "rgb(255 255 255 / .6)";
    circle(pen, x - radius * 0.3, y - radius * 0.35, radius * 0.3);
  }

  #blob(blob, { me, leader, name }, now) {
    const pen = this.#pen;
    const { x, y, radius } = blob;
    const colour = hue(blob.id);
    const look = this.#look(blob);
    if (blob.dashing && !this.#calm.matches) this.#particles.trail(blob, colour);

    pen.save();
    pen.translate(x, y);
    if (blob.shielded) {
      pen.globalAlpha = 0.72;
      pen.save();
      pen.rotate(this.#calm.matches ? 0 : now / 900);
      pen.setLineDash([9, 8]);
      pen.lineWidth = 2.5;
      pen.strokeStyle = `hsl(${colour} 60% ${this.#colours.rim}%)`;
      pen.beginPath();
      pen.arc(0, 0, radius + 9, 0, TAU);
      pen.stroke();
      pen.restore();
    }
    this.#body(blob, look, colour, now);
    if (blob.id === me) {
      pen.lineWidth = 3;
      pen.strokeStyle = this.#colours.ink;
      pen.stroke();
    }
    this.#eyes(radius, look, blob.dashing);
    if (blob.id === leader) this.#crown(radius);
    pen.restore();
    this.#name(blob, name, blob.id === me);
  }

  /** What is drawn of a blob follows what it does, softly. */
  #look({ id, vx, vy }) {
    const look = this.#looks.get(id) ?? { x: 0, y: 0, stretch: 0, angle: 0 };
    const speed = Math.hypot(vx, vy);
    look.x += ((speed > 0.4 ? vx / speed : 0) - look.x) * 0.16;
    look.y += ((speed > 0.4 ? vy / speed : 0) - look.y) * 0.16;
    look.stretch += (Math.min(0.22, speed / 90) - look.stretch) * 0.2;
    if (speed > 0.4) look.angle = Math.atan2(vy, vx);
    this.#looks.set(id, look);
    return look;
  }

  /** A soft outline that wobbles, longer in the direction in which it goes. Leaves its path for a stroke. */
  #body({ id, radius }, { stretch, angle }, colour, now) {
    const pen = this.#pen;
    const points = 40;
    const wobble = this.#calm.matches ? 0 : 0.012;
    pen.save();
    pen.rotate(angle);
    pen.scale(1 + stretch, 1 / (1 + stretch));
    pen.rotate(-angle);
    pen.beginPath();
    for (let point = 0; point <= points; point++) {
      const at = (point / points) * TAU;
      const out = radius * (1 + wobble * (Math.sin(3 * at + now / 260 + id) + Math.sin(5 * at - now / 340 + id * 2)));
      pen.lineTo(Math.cos(at) * out, Math.sin(at) * out);
    }
    pen.closePath();
    const fill = pen.createRadialGradient(-radius * 0.35, -radius * 0.4, radius * 0.1, 0, 0, radius * 1.1);
    fill.addColorStop(0, `hsl(${colour} 78% ${this.#colours.body + 16}%)`);
    fill.addColorStop(1, `hsl(${colour} 66% ${this.#colours.body}%)`);
    pen.fillStyle = fill;
    pen.fill();
    pen.lineWidth = Math.max(2, radius * 0.06);
    pen.strokeStyle = `hsl(${colour} 60% ${this.#colours.rim}%)`;
    pen.stroke();
    pen.restore();
  }

  #eyes(radius, { x, y }, narrow) {
    const pen = this.#pen;
    const size = Math.min(radius * 0.24, 20);
    for (const side of [-1, 1]) {
      const [ex, ey] = [side * size * 1.25 + x * radius * 0.3, -radius * 0.12 + y * radius * 0.3];
      pen.fillStyle = "#fff";
      pen.beginPath();
      pen.ellipse(ex, ey, size, size * (narrow ? 0.6 : 1.12), 0, 0, TAU);
      pen.fill();
      pen.fillStyle = "#16202a";
      circle(pen, ex + x * size * 0.45, ey + y * size * 0.45, size * 0.52);
    }
  }

  #crown(radius) {
    const pen = this.#pen;
    const size = Math.max(12, radius * 0.36);
    pen.save();
    pen.translate(0, -radius * 1.02);
    pen.beginPath();
    pen.moveTo(-size, 0);
    for (const [x, y] of [[-1.1, -1], [-0.5, -0.45], [0, -1.2], [0.5, -0.45], [1.1, -1], [1, 0]]) pen.lineTo(x * size, y * size);
    pen.closePath();
    pen.fillStyle = "#f5b82e";
    pen.strokeStyle = "#9a6a00";
    pen.lineWidth = 2;
    pen.lineJoin = "round";
    pen.fill();
    pen.stroke();
    pen.restore();
  }

  #name({ x, y, radius }, name, own) {
    const pen = this.#pen;
    const size = Math.max(14, Math.min(26, radius * 0.36)) / Math.max(0.8, this.#camera.scale);
    pen.font = `${own ? 700 : 600} ${size}px ${this.#colours.font}`;
    pen.textAlign = "center";
    pen.textBaseline = "top";
    pen.lineJoin = "round";
    pen.lineWidth = size / 4;
    pen.strokeStyle = this.#colours.floor;
    pen.strokeText(name, x, y + radius + 8);
    pen.fillStyle = this.#colours.ink;
    pen.fillText(name, x, y + radius + 8);
  }

  #map({ blobs }, arena, me, width, height) {
    const pen = this.#pen;
    const scale = Math.min(150, width * 0.24) / arena.width;
    const [w, h] = [arena.width * scale, arena.height * scale];
    pen.save();
    pen.translate(14, height - h - 14);
    pen.beginPath();
    pen.roundRect(0, 0, w, h, 8);
    pen.fillStyle = this.#colours.map;
    pen.fill();
    pen.lineWidth = 1;
    pen.strokeStyle = this.#colours.edge;
    pen.stroke();
    for (const blob of blobs.values()) {
      pen.fillStyle = `hsl(${hue(blob.id)} 66% ${this.#colours.body}%)`;
      circle(pen, blob.x * scale, blob.y * scale, Math.max(2.2, blob.radius * scale));
      if (blob.id !== me) continue;
      pen.lineWidth = 1.5;
      pen.strokeStyle = this.#colours.ink;
      pen.beginPath();
      pen.arc(blob.x * scale, blob.y * scale, Math.max(4.5, blob.radius * scale + 2), 0, TAU);
      pen.stroke();
    }
    pen.restore();
  }

  #resize() {
    const ratio = Math.min(devicePixelRatio, this.#finest);
    this.#canvas.width = Math.round(this.#canvas.clientWidth * ratio);
    this.#canvas.height = Math.round(this.#canvas.clientHeight * ratio);
  }

  #readColours() {
    const style = getComputedStyle(this.#canvas);
    for (const name of ["outside", "floor", "edge", "dots", "lines", "map", "ink", "light"]) this.#colours[name] = style.getPropertyValue(`--${name}`);
    for (const name of ["pearl", "body", "rim"]) this.#colours[name] = Number(style.getPropertyValue(`--${name}`));
    this.#colours.font = style.fontFamily;
  }
}

function pearlHue(number) {
  return (number * 47) % 360;
}

function circle(pen, x, y, radius) {
  pen.beginPath();
  pen.arc(x, y, Math.max(0, radius), 0, TAU);
  pen.fill();
}
