// Everything around the canvas: the name, the lists, the numbers, what happened. Text from the wire stays text.

import { hue } from "./draw.js";
import { element } from "./shared/panel.js";

const $ = (id) => document.getElementById(id);
const LEADERS = 10;
const FEED = 4;
const FEED_LASTS = 6000; // ms
const TOAST_LASTS = 2500; // ms

export class View {
  #toastTimer = 0;
  #leaders = "";

  constructor(on) {
    $("join").addEventListener("submit", (event) => { event.preventDefault(); on.join($("name").value); });
    $("leave").addEventListener("click", () => on.leave());
  }

  askName(wish, error = "") {
    const asking = document.body.dataset.view === "join" && $("name").value;
    document.body.dataset.view = "join";
    if (!asking) $("name").value = wish; // else somebody may be typing already
    $("join-error").textContent = error;
    $("name").setAttribute("aria-invalid", String(Boolean(error)));
    $("name").focus();
    if (!asking) $("name").select();
  }

  play() {
    document.body.dataset.view = "room";
    $("banner").hidden = true;
    $("canvas").focus({ preventScroll: true });
  }

  /** The middle of the canvas's part that the form does not cover, as parts of its width and height. */
  get middle() {
    if (document.body.dataset.view === "room") return { x: 0.5, y: 0.5 };
    return innerWidth > 760 ? { x: 0.7, y: 0.5 } : { x: 0.5, y: 0.28 };
  }

  /** `blobs`: those in the arena, the largest first. */
  ranking(blobs, names, me) {
    const size = (blob) => Math.round((blob.radius / 5) ** 2);
    const rank = blobs.findIndex((blob) => blob.id === me);
    if (rank >= 0) {
      $("size").textContent = size(blobs[rank]);
      $("rank").textContent = `place ${rank + 1} of ${blobs.length}`;
    }
    const ranks = [...blobs.keys()].slice(0, LEADERS);
    if (rank >= LEADERS) ranks[LEADERS - 1] = rank; // oneself is always in the list
    const shown = ranks.map((at) => [blobs[at].id, at + 1, names.get(blobs[at].id) ?? "", size(blobs[at])]);
    const text = JSON.stringify([shown, me, names.size]);
    if (text === this.#leaders) return;
    this.#leaders = text;
    $("count").textContent = names.size;
    $("leaders").replaceChildren(...shown.map(([id, place, name, size]) => {
      const item = element("li", id === me ? "own" : "");
      item.value = place;
      const swatch = element("i", "swatch");
      swatch.style.setProperty("--hue", hue(id));
      item.append(element("span", "place", place), swatch, element("span", "name", name));
      if (id === me) item.append(element("span", "tag", "you"));
      item.append(element("span", "size", size));
      return item;
    }));
  }

  numbers({ latency, rate, behind }) {
    $("latency").textContent = latency === null ? "–" : `${latency} ms`;
    $("rate").textContent = `${rate} a second`;
    $("behind").textContent = `${behind} ms`;
    $("stats").textContent = latency === null ? "" : `${latency} ms · ${rate}/s`;
  }

  feed(text) {
    const item = element("li", "", text);
    $("feed").append(item);
    while ($("feed").children.length > FEED) $("feed").firstChild.remove();
    setTimeout(() => item.remove(), FEED_LASTS);
  }

  toast(text) {
    clearTimeout(this.#toastTimer);
    $("toast").textContent = text;
    $("toast").classList.add("on");
    this.#toastTimer = setTimeout(() => $("toast").classList.remove("on"), TOAST_LASTS);
  }
}
