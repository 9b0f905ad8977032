// Where the player wants to go: by keys, by mouse, by touch; whatever was used last.

const KEYS = {
  ArrowUp: [0, -1], KeyW: [0, -1], ArrowDown: [0, 1], KeyS: [0, 1],
  ArrowLeft: [-1, 0], KeyA: [-1, 0], ArrowRight: [1, 0], KeyD: [1, 0],
};
const STICK = 56; // pixels that the thumb moves for full speed
const MOUSE = 150; // pixels from the blob for full speed
const STILL = 14; // pixels around it where nothing moves

export class Controls {
  #keys = new Set();
  #direction = { x: 0, y: 0 };
  #dashes = new Set(); // what is pressed to dash
  #stick;
  #touch = null; // the finger that steers: {id, x, y} of where it began

  #mouse = null; // where it is, if it steers
  #middle; // where on the canvas the own blob is seen

  constructor(canvas, dashButton, stick, middle) {
    this.#stick = stick;
    this.#middle = middle;
    addEventListener("keydown", (event) => this.#key(event, true));
    addEventListener("keyup", (event) => this.#key(event, false));
    addEventListener("blur", () => this.stop());
    document.addEventListener("visibilitychange", () => document.hidden && this.stop());
    canvas.addEventListener("pointermove", (event) => this.#moved(event, canvas));
    canvas.addEventListener("pointerdown", (event) => this.#pressed(event, canvas));
    for (const end of ["pointerup", "pointercancel"]) addEventListener(end, (event) => this.#released(event));
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    dashButton.addEventListener("pointerdown", (event) => { event.preventDefault(); this.#dashes.add(event.pointerId); });
  }

  /** What to tell the arena. */
  get steer() {
    const middle = this.#mouse && this.#middle();
    if (middle) this.#aim(this.#mouse.x - middle.x, this.#mouse.y - middle.y, MOUSE, STILL);
    return { ...this.#direction, dash: this.#dashes.size > 0 };
  }

  stop() {
    this.#keys.clear();
    this.#dashes.clear();
    this.#mouse = null;
    this.#direction = { x: 0, y: 0 };
    this.#touch = null;
    this.#stick.hidden = true;
  }

  #key(event, down) {
    if (event.target instanceof HTMLInputElement || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.code === "Space" && !(event.target instanceof HTMLButtonElement)) {
      event.preventDefault();
      if (down) this.#dashes.add("space");
      else this.#dashes.delete("space");
      return;
    }
    if (!(event.code in KEYS)) return;
    event.preventDefault();
    if (down) this.#keys.add(event.code);
    else this.#keys.delete(event.code);
    let [x, y] = [0, 0];
    for (const key of this.#keys) [x, y] = [x + KEYS[key][0], y + KEYS[key][1]];
    this.#mouse = null;
    this.#aim(x, y, 1, 0);
  }

  #moved(event, canvas) {
    if (event.pointerType === "mouse") {
      const box = canvas.getBoundingClientRect();
      this.#mouse = { x: event.clientX - box.x, y: event.clientY - box.y };
    } else if (event.pointerId === this.#touch?.id) {
      const [x, y] = [event.clientX - this.#touch.x, event.clientY - this.#touch.y];
      this.#aim(x, y, STICK, 6);
      const { x: dx, y: dy } = this.#direction;
      this.#stick.firstElementChild.style.translate = `${dx * STICK}px ${dy * STICK}px`;
    }
  }

  #pressed(event, canvas) {
    canvas.focus({ preventScroll: true });
    if (event.pointerType === "mouse" || this.#touch) return this.#dashes.add(event.pointerId);
    canvas.setPointerCapture(event.pointerId);
    this.#mouse = null;
    this.#touch = { id: event.pointerId, x: event.clientX, y: event.clientY };
    const box = canvas.getBoundingClientRect();
    this.#stick.hidden = false;
    this.#stick.style.left = `${event.clientX - box.x}px`;
    this.#stick.style.top = `${event.clientY - box.y}px`;
    this.#stick.firstElementChild.style.translate = "0 0";
  }

  #released(event) {
    this.#dashes.delete(event.pointerId);
    if (event.pointerId !== this.#touch?.id) return;
    // The blob goes on where it was sent: one can lift the thumb and dash by it.
    this.#touch = null;
    this.#stick.hidden = true;
  }

  #aim(x, y, full, still) {
    const length = Math.hypot(x, y);
    const factor = length <= still ? 0 : 1 / Math.max(full, length);
    this.#direction = { x: x * factor, y: y * factor };
  }
}
