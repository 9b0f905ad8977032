// The chat: what the page and the hub say to each other. view.js draws, connection.js connects.
//
// Every message is one text message of Engine.IO that holds one JSON object.
//
//   page -> hub
//     {"type":"join","name":"Ada"}     first of all; the hub trims the name
//     {"type":"say","text":"hi"}       once joined
//   hub -> page
//     {"type":"welcome","id":"..","name":"Ada","people":["Ada","Bob"]}
//                                      answers join, to the one who joined; people includes it
//     {"type":"joined","name":".."}    to everybody else
//     {"type":"left","name":".."}      to everybody else
//     {"type":"said","name":"..","text":"..","at":1700000000000}
//                                      to everybody, the speaker included; at is in ms since the epoch
//     {"type":"refused","reason":".."} answers the join or say that was refused, and changes nothing
//
// A name is 1 to 24 characters and nobody else's in the room, upper and lower case being the same; a text is 1 to
// 2000 characters. The reasons: "name taken", "name empty", "name too long", "already joined", "not joined",
// "text empty", "text too long", "not understood". One page's messages are answered in order.

import { Connection } from "./connection.js";
import { View } from "./view.js";

const REJOIN_EVERY = 2000; // ms

const wanted = new URLSearchParams(location.search).get("transport");
const transports = wanted === "polling" || wanted === "websocket" ? [wanted] : ["polling", "websocket"];

let name = sessionStorage.getItem("chat.name") ?? ""; // what to join as; empty while the form asks
let joined = false; // in the room, in this session
let known = false; // was in the room before, in this page
let open = false;
let ghostSeconds = 45; // how long the server may keep a session whose network went away
let rejoinUntil = 0;
let rejoinTimer = 0;
const unconfirmed = []; // own messages that the hub did not answer yet, oldest first

const REASONS = {
  "name taken": "Somebody in the room has this name. Choose another one.",
  "name empty": "Please type a name.",
  "name too long": "This name is too long: 24 characters at most.",
  "text empty": "empty message",
  "text too long": "longer than 2000 characters",
};

const view = new View({ join, say, leave, retry: () => connection.retryNow() });

const connection = new Connection(transports, {
  state: (state, seconds) => view.connection(state, seconds),
  handshake: ({ pingInterval, pingTimeout }) => { ghostSeconds = (pingInterval + pingTimeout) / 1000; },
  open: ({ transport }) => {
    open = true;
    view.event(`${transport} opened`, transport);
    rejoinUntil = performance.now() + ghostSeconds * 1000;
    if (name) connection.send({ type: "join", name });
  },
  upgrade: ({ transport, after }) => view.event(`${transport} after ${after} ms`, transport),
  message: receive,
  lost: ({ reason, wasOpen }) => {
    view.event(wasOpen ? `lost: ${reason}` : "no answer", "lost");
    if (joined) view.notice("Connection lost");
    outOfRoom();
  },
});

view.transports(transports);
if (name) view.room();
else view.askName("");
connection.start();

function join(wish) {
  name = wish.trim();
  if (!name) return view.askName(wish, REASONS["name empty"]);
  if (open) connection.send({ type: "join", name });
  else view.room();
}

function say(text) {
  if (!joined || !text.trim()) return false;
  unconfirmed.push(view.unconfirmed(name, text));
  connection.send({ type: "say", text });
  return true;
}

function leave() {
  forget();
  known = false;
  connection.stop();
  outOfRoom();
  view.clear();
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
    case "welcome": return welcome(message);
    case "joined": return view.joined(message.name);
    case "left": return view.left(message.name);
    case "said": return said(message);
    case "refused": return refused(message.reason);
  }
}

function welcome(message) {
  name = message.name;
  sessionStorage.setItem("chat.name", name);
  joined = true;
  view.room(name, message.people);
  view.notice(known ? `You are back as ${name}` : `You joined as ${name}`);
  known = true;
}

function said({ name: from, text, at }) {
  if (from === name && unconfirmed.length) unconfirmed.shift().confirm(text, at);
  else view.said(from, text, at, from === name);
}

function refused(reason) {
  if (joined) return unconfirmed.shift()?.fail(REASONS[reason] ?? reason);
  // After a loss the server may still hold the old session, under this very name, until its ping timeout.
  if (known && reason === "name taken" && performance.now() < rejoinUntil) {
    view.waitForName(name);
    rejoinTimer = setTimeout(() => open && connection.send({ type: "join", name }), REJOIN_EVERY);
    return;
  }
  const wish = name;
  forget();
  view.askName(wish, REASONS[reason] ?? reason);
}

function forget() {
  name = "";
  sessionStorage.removeItem("chat.name");
}

function outOfRoom() {
  open = joined = false;
  clearTimeout(rejoinTimer);
  for (const message of unconfirmed.splice(0)) message.fail("maybe not delivered");
  view.outOfRoom();
}
