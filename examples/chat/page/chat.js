// The chat: what happens when somebody does something or the hub says something. view.js draws, connection.js
// connects; what page and hub say to each other stands in wire.rs.
//
// The room is the part of the address behind "#", so a room has a link: /#/lobby. (Without the slash a browser would
// look for an element of that id.)

import { Connection } from "./shared/connection.js";
import { Panel } from "./shared/panel.js";
import { View } from "./view.js";

const REJOIN_EVERY = 2000; // ms
const TYPING_EVERY = 2000; // ms

let name = sessionStorage.getItem("chat.name") ?? ""; // what to join as; empty while the form asks
let room = roomOfAddress(); // where to be
let here = ""; // where the hub says that we are, in this session
let known = ""; // the room where we were before, in this page
let newest = 0; // id of the newest line of that room that is shown
let open = false;
let ghostSeconds = 45; // how long the server may keep a session whose network went away
let rejoinUntil = 0;
let rejoinTimer = 0;
let typedAt = -TYPING_EVERY;
const asked = []; // what the hub did not answer yet, oldest first: "join" or an own message
let failed = []; // own messages that were maybe not delivered

const REASONS = {
  "name taken": "Somebody in the room has this name. Choose another one.",
  "name empty": "Please type a name.",
  "name too long": "This name is too long: 24 characters at most.",
  "room full": "This room is full.",
  "too many rooms": "There are too many rooms already. Choose one of them.",
  "text empty": "empty message",
  "text too long": "longer than 2000 characters",
};

const view = new View({ join, say, leave, typing, go: (wish) => { location.hash = `/${roomName(wish) || room}`; } });
const panel = new Panel(
  { transports: (names) => connection.use(names), retry: () => connection.retryNow() },
  "What you write stays here.",
);

const connection = new Connection(panel.transports, {
  state: (state, seconds) => panel.state(state, seconds),
  handshake: ({ pingInterval, pingTimeout }) => { ghostSeconds = (pingInterval + pingTimeout) / 1000; },
  open: ({ transport }) => {
    open = true;
    panel.event(`${transport} opened`, transport);
    rejoinUntil = performance.now() + ghostSeconds * 1000;
    if (name) askToJoin();
  },
  upgrade: ({ transport, after }) => panel.event(`${transport} after ${after} ms`, transport),
  message: receive,
  lost: ({ reason, wasOpen }) => {
    panel.event(wasOpen ? `lost: ${reason}` : "no answer", "lost");
    if (here && reason !== "transports changed") view.notice("Connection lost");
    outOfRoom();
  },
});

addEventListener("hashchange", () => {
  room = roomOfAddress();
  if (here && here !== room) askToJoin();
  else view.wanted(room);
});
view.wanted(room);
if (name) view.room();
else view.askName("");
connection.start();

function roomOfAddress() {
  let wish = location.hash.slice(1);
  try {
    wish = decodeURIComponent(wish);
  } catch { /* it is not encoded, then */ }
  return roomName(wish) || "lobby";
}

function roomName(wish) {
  return wish.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-/, "").slice(0, 24).replace(/-$/, "");
}

function send(message) {
  connection.send(JSON.stringify(message));
}

function askToJoin() {
  asked.push("join");
  send({ type: "join", room, name });
}

function join(wish) {
  name = wish.trim();
  if (!name) return view.askName(wish, REASONS["name empty"]);
  if (open) askToJoin();
  else view.room();
}

function say(text) {
  if (!here || !text.trim()) return false;
  asked.push(view.unconfirmed(name, text));
  send({ type: "say", text });
  typedAt = -TYPING_EVERY;
  return true;
}

function typing() {
  if (!here || performance.now() - typedAt < TYPING_EVERY) return;
  typedAt = performance.now();
  send({ type: "typing" });
}

function leave() {
  forget();
  connection.stop();
  outOfRoom();
  forgetRoom();
  view.askName("");
  connection.start();
}

function receive(data) {
  let message;
  try {
    message = JSON.parse(data);
  } catch {
    return; // not of this protocol
  }
  switch (message.type) {
    case "rooms": return view.rooms(message.rooms);
    case "welcome": return welcome(message);
    case "joined": return view.joined(message.name);
    case "left": return view.left(message.name);
    case "said": return said(message.line);
    case "typing": return view.typing(message.name);
    case "slow": return view.slow(message.name, message.slow);
    case "caughtup": return caughtUp(message);
    case "refused": return refused(message.reason);
  }
}

function welcome(message) {
  asked.shift();
  name = message.name;
  sessionStorage.setItem("chat.name", name);
  here = message.room;
  const back = known === here;
  if (!back) forgetRoom();
  known = here;
  view.room(here, name, message.people);
  showLines(message.lines);
  view.notice(back ? `You are back as ${name}` : `You joined as ${name}`);
  if (here !== room) askToJoin(); // the address changed meanwhile
}

/** Shows those of the room's last lines that are not shown yet. */
function showLines(lines) {
  for (const { id, name: from, text, at } of lines) {
    if (id <= newest) continue;
    newest = id;
    const arrived = from === name ? failed.find((message) => message.text === text) : undefined;
    if (!arrived) view.said(from, text, at, from === name);
    else arrived.confirm(text, at);
    failed = failed.filter((message) => message !== arrived);
  }
}

function said({ id, name: from, text, at }) {
  newest = Math.max(newest, id);
  const first = asked[0];
  if (from === name && first && first !== "join") asked.shift().confirm(text, at);
  else view.said(from, text, at, from === name);
}

function caughtUp({ missed, people, lines }) {
  view.people(people);
  view.notice(`You fell behind: ${missed} messages were not sent to you in time`);
  showLines(lines);
}

function refused(reason) {
  const refusal = asked.shift();
  const why = REASONS[reason] ?? reason;
  if (refusal !== "join") return refusal?.fail(why);
  if (here) {
    view.notice(`You cannot enter #${room}: ${why}`);
    room = here;
    history.replaceState(null, "", `#/${here}`);
    return view.wanted(here);
  }
  // After a loss the server may still hold the old session, under this very name, until its ping timeout.
  if (known === room && reason === "name taken" && performance.now() < rejoinUntil) {
    panel.banner(`Waiting until the server lets go of your lost session as ${name}…`);
    rejoinTimer = setTimeout(() => open && askToJoin(), REJOIN_EVERY);
    return;
  }
  const wish = name;
  forget();
  view.askName(wish, why);
}

function forget() {
  name = "";
  sessionStorage.removeItem("chat.name");
}

function forgetRoom() {
  known = "";
  newest = 0;
  failed = [];
  view.clear();
}

function outOfRoom() {
  open = false;
  here = "";
  clearTimeout(rejoinTimer);
  for (const message of asked.splice(0).filter((one) => one !== "join")) {
    message.fail("maybe not delivered", () => { failed = failed.filter((one) => one !== message); });
    failed.push(message);
  }
  view.outOfRoom();
}
