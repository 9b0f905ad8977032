// The game: what happens when the player does something or the arena says something. The arena decides everything;
// this page says where its player wants to go, and draws what it is told. The format of the messages is in wire.rs.

import { Controls } from "./controls.js";
import { Painter } from "./draw.js";
import { Connection } from "./shared/connection.js";
import { Panel } from "./shared/panel.js";
import { Timeline } from "./timeline.js";
import { View } from "./view.js";
import { ping, read, steer } from "./wire.js";

const $ = (id) => document.getElementById(id);
const STEER_EVERY = 33; // ms
const PING_EVERY = 1000; // ms
const MOST_WAITING = 2; // packets that wait for the transport: what is said once more would only be later

const REASONS = {
  "name empty": "Please type a name.",
  "name too long": "This name is too long: 16 characters at most.",
  "arena full": "The arena is full. Watch a while and try again.",
};

let name = sessionStorage.getItem("game.name") ?? ""; // what to join as; empty while the form asks
let arena = null; // as the arena describes itself
let timeline = null;
let names = new Map(); // by id, of all players
let me = 0; // the own id, 0 while one watches
let follow = 0; // whom one looks at
let scene = null; // what is drawn, for whoever asks canvas.scene
let open = false;
let steered = "";
let steeredAt = 0;
let pings = new Map(); // when which token left
let token = 0;
let latency = null;
const arrivals = []; // of the last second's snapshots

const view = new View({ join, leave });
const painter = new Painter($("canvas"));
const controls = new Controls($("canvas"), $("dash"), $("stick"), () => {
  const own = scene?.blobs.get(me);
  return own && painter.pixels(own);
});
const panel = new Panel(
  { transports: (transports) => connection.use(transports), retry: () => connection.retryNow() },
  "The arena goes on.",
);
const connection = new Connection(panel.transports, {
  state: (state, seconds) => panel.state(state, seconds),
  handshake: () => {},
  open: ({ transport }) => {
    open = true;
    panel.banner();
    panel.event(`${transport} opened`, transport);
    if (name) askToJoin();
  },
  upgrade: ({ transport, after }) => panel.event(`${transport} after ${after} ms`, transport),
  message: (data) => (typeof data === "string" ? told(data) : shown(data)),
  lost: ({ reason, wasOpen }) => {
    panel.event(wasOpen ? `lost: ${reason}` : "no answer", "lost");
    open = false;
    me = 0;
    latency = null;
    pings.clear();
  },
});

$("canvas").scene = () => ({ me, names, ...scene });
if (name) view.play();
else view.askName("");
connection.start();
requestAnimationFrame(frame);
setInterval(measure, PING_EVERY);

function join(wish) {
  name = wish.trim();
  if (!name) return view.askName(wish, REASONS["name empty"]);
  if (open) askToJoin();
  else view.play();
}

function askToJoin() {
  connection.send(JSON.stringify({ type: "join", name }));
}

function leave() {
  forget();
  connection.stop();
  me = 0;
  view.askName("");
  connection.start();
}

function forget() {
  name = "";
  sessionStorage.removeItem("game.name");
}

/** Words: what is rare. */
function told(text) {
  const message = JSON.parse(text);
  switch (message.type) {
    case "arena":
      arena = message;
      timeline = new Timeline(arena.ticks);
      return;
    case "welcome":
      me = follow = message.id;
      steered = "";
      sessionStorage.setItem("game.name", name);
      return view.play();
    case "roster":
      names = new Map(message.players.map(({ id, name }) => [id, name]));
      return;
    case "swallowed": return swallowed(message);
    case "refused": {
      if (me) return;
      const wish = name;
      forget();
      return view.askName(wish, REASONS[message.reason] ?? message.reason);
    }
  }
}

/** Bytes: what is frequent. */
function shown(bytes) {
  const message = read(bytes);
  const now = performance.now();
  if (message?.type === "pong") {
    const took = now - pings.get(message.token);
    pings.delete(message.token);
    if (took >= 0) latency = took;
  } else if (message && timeline) {
    timeline.push(message, now);
    arrivals.push(now);
  }
}

function swallowed({ by, who }) {
  const [eater, prey] = [names.get(by) ?? "?", names.get(who) ?? "?"];
  view.feed(`${eater} swallowed ${prey}`);
  const blob = scene?.blobs.get(who);
  if (blob) painter.burst(blob);
  if (by === me) view.toast(`You swallowed ${prey}`);
  if (who === me) {
    view.toast(`${eater} swallowed you. You are back in a moment`);
    follow = by;
  }
}

function frame(now) {
  requestAnimationFrame(frame);
  scene = timeline?.at(performance.now()) ?? null;
  if (!scene) return;
  const ranking = [...scene.blobs.values()].sort((a, b) => b.radius - a.radius || a.id - b.id);
  if (scene.blobs.has(me)) follow = me;
  else if (!scene.blobs.has(follow)) follow = ranking[0]?.id ?? 0;
  painter.frame({ scene, arena, names, me, follow, leader: ranking[0]?.id, middle: view.middle }, now);
  view.ranking(ranking, names, me);
  sayWhere(now);
}

function sayWhere(now) {
  if (!me || now - steeredAt < STEER_EVERY || connection.waiting > MOST_WAITING) return;
  const bytes = steer(controls.steer);
  const text = String(new Uint8Array(bytes));
  if (text === steered) return;
  [steered, steeredAt] = [text, now];
  connection.send(bytes);
}

/** Latency is measured through everything that a message passes: the queue, the transport, the arena's mailbox. */
function measure() {
  const now = performance.now();
  while (arrivals.length && arrivals[0] < now - 1000) arrivals.shift();
  view.numbers({
    latency: latency === null ? null : Math.round(latency),
    rate: arrivals.length,
    behind: Math.round(timeline?.behind ?? 0),
  });
  if (!open || connection.waiting > MOST_WAITING) return;
  if (pings.size > 10) pings.clear();
  pings.set(++token, now);
  connection.send(ping(token));
}
