// What one sees: every access to the document is here. Whatever came over the wire becomes text, never markup.

import { element } from "./shared/panel.js";

const $ = (id) => document.getElementById(id);
const GROUP_WITHIN = 120000; // ms: messages of one person that close stand together
const TYPING_LASTS = 4000; // ms
const LOG_KEPT = 500; // messages and notices

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

function avatar(name) {
  const node = element("span", "avatar", [...name][0]?.toUpperCase() ?? "?");
  let hash = 7;
  for (const char of name) hash = (hash * 31 + char.codePointAt(0)) % 3600;
  node.style.setProperty("--hue", (hash * 47) % 360);
  node.setAttribute("aria-hidden", "true");
  return node;
}

export class View {
  #on;
  #me = "";
  #room = "";
  #rooms = [];
  #people = new Map(); // name: whether slow
  #typing = new Map(); // name: timer
  #last = null; // the group that the next message may join: {name, at, own}
  #away = ""; // why nothing can be sent now, if so
  #stuck = true; // the newest message stays in sight when the room for messages changes its size

  constructor(on) {
    this.#on = on;
    const text = $("text");
    $("join").addEventListener("submit", (event) => { event.preventDefault(); on.join($("name").value); });
    $("say").addEventListener("submit", (event) => { event.preventDefault(); this.#submit(); });
    $("go").addEventListener("submit", (event) => {
      event.preventDefault();
      on.go($("room-name").value);
      $("room-name").value = "";
    });
    text.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#submit();
    });
    text.addEventListener("input", () => {
      this.#composer();
      if (text.value.trim()) on.typing();
    });
    $("leave").addEventListener("click", () => on.leave());
    $("latest").addEventListener("click", () => this.#toLatest());
    $("scroll").addEventListener("scroll", () => { if (this.#atLatest()) $("latest").hidden = true; }, { passive: true });
    new ResizeObserver(() => this.#stuck && this.#toLatest()).observe($("scroll"));
    $("scroll").addEventListener("scrollend", () => { this.#stuck = this.#atLatest(); });
  }

  // --- which view

  askName(wish, error = "") {
    const asking = document.body.dataset.view === "join" && $("name").value;
    document.body.dataset.view = "join";
    $("where").textContent = "chat";
    if (!asking) $("name").value = wish; // else somebody may be typing already
    $("join-error").textContent = error;
    $("name").setAttribute("aria-invalid", String(Boolean(error)));
    $("name").focus();
    if (!asking) $("name").select();
  }

  /** Shows the room; with its name, one's own and people it is open, without it is being joined. */
  room(room, me, people) {
    const entering = document.body.dataset.view !== "room";
    document.body.dataset.view = "room";
    if (room === undefined) return this.#composer("Joining…");
    this.#me = me;
    this.#room = room;
    $("where").textContent = `#${room}`;
    this.wanted(room);
    $("side").classList.remove("away");
    this.people(people);
    $("banner").hidden = true;
    this.#composer("");
    if (entering || document.activeElement === document.body) $("text").focus();
  }

  /** The room of the address, which one is in or will join. */
  wanted(room) {
    $("join-room").textContent = `#${room}`;
    this.#room = room;
    this.#drawRooms();
  }

  outOfRoom() {
    $("side").classList.add("away"); // who was here, until the next welcome says who is
    for (const name of [...this.#typing.keys()]) this.#stopsTyping(name);
    this.#composer("Not connected");
  }

  clear() {
    $("log").replaceChildren();
    this.#last = null;
    for (const name of [...this.#typing.keys()]) this.#stopsTyping(name);
    $("banner").hidden = true;
  }

  // --- rooms and people

  rooms(rooms) {
    this.#rooms = rooms;
    this.#drawRooms();
  }

  people(people) {
    this.#people = new Map(people.map(({ name, slow }) => [name, slow]));
    this.#drawPeople();
  }

  joined(name) {
    if (this.#people.has(name)) return;
    this.#people.set(name, false);
    this.#drawPeople();
    this.notice(`${name} joined`);
  }

  left(name) {
    this.#people.delete(name);
    this.#stopsTyping(name);
    this.#drawPeople();
    this.notice(`${name} left`);
  }

  /** Somebody does not read what is sent, or does again. */
  slow(name, slow) {
    if (!this.#people.has(name) || name === this.#me) return;
    this.#people.set(name, slow);
    this.#drawPeople();
    this.notice(slow ? `${name} does not read: messages are held back` : `${name} reads again`);
  }

  typing(name) {
    clearTimeout(this.#typing.get(name));
    this.#typing.set(name, setTimeout(() => this.#stopsTyping(name), TYPING_LASTS));
    this.#drawTyping();
  }

  #stopsTyping(name) {
    clearTimeout(this.#typing.get(name));
    if (this.#typing.delete(name)) this.#drawTyping();
  }

  #drawRooms() {
    const rooms = [...this.#rooms];
    if (!rooms.some(({ name }) => name === this.#room)) rooms.push({ name: this.#room, people: 0 });
    rooms.sort((a, b) => a.name.localeCompare(b.name));
    const links = (rooms) => rooms.map(({ name, people }) => {
      const link = element("a", "", name);
      link.href = `#/${name}`;
      if (name === this.#room) link.setAttribute("aria-current", "page");
      link.append(element("span", "count", people));
      const item = element("li");
      item.append(link);
      return item;
    });
    $("rooms").replaceChildren(...links(rooms));
    $("join-rooms").replaceChildren(...links(rooms));
  }

  #drawPeople() {
    const names = [...this.#people.keys()].sort((a, b) => (b === this.#me) - (a === this.#me) || a.localeCompare(b));
    $("people").replaceChildren(...names.map((name) => {
      const item = element("li");
      item.append(avatar(name), element("span", "name", name));
      if (name === this.#me) item.append(element("span", "tag", "you"));
      if (this.#people.get(name)) item.append(element("span", "tag slow", "not reading"));
      return item;
    }));
    $("count").textContent = $("count-narrow").textContent = names.length;
  }

  #drawTyping() {
    const names = [...this.#typing.keys()];
    const who = { 0: "", 1: `${names[0]} is typing`, 2: `${names[0]} and ${names[1]} are typing` };
    $("typing").textContent = who[names.length] ?? `${names.length} people are typing`;
    $("typing").classList.toggle("on", names.length > 0);
  }

  // --- the conversation

  notice(text) {
    this.#last = null;
    this.#append(element("li", "notice", text), false);
  }

  said(name, text, at, own) {
    this.#stopsTyping(name);
    this.#append(this.#message(name, text, at, own).item, own);
  }

  /** Shows an own message that the hub has not sent back yet. */
  unconfirmed(name, text) {
    const { item, bubble, time } = this.#message(name, text, Date.now(), true);
    item.classList.add("pending");
    this.#append(item, true);
    return {
      text,
      confirm: (confirmed, at) => {
        item.classList.remove("pending", "failed");
        item.querySelector(".why")?.remove();
        if (bubble.textContent !== confirmed) bubble.textContent = confirmed;
        this.#stamp(time, at);
      },
      fail: (why, again = () => {}) => {
        item.classList.replace("pending", "failed");
        const button = element("button", "again", "Send again");
        button.type = "button";
        button.addEventListener("click", () => {
          if (!this.#on.say(text)) return;
          item.remove();
          again();
        });
        item.append(element("p", "why", why));
        item.lastChild.append(" · ", button);
      },
    };
  }

  #message(name, text, at, own) {
    const last = this.#last;
    const follows = last !== null && last.name === name && at - last.at < GROUP_WITHIN;
    this.#last = { name, at };
    const item = element("li", `message${own ? " own" : ""}${follows ? " follows" : ""}`);
    if (!own) item.append(avatar(name));
    const who = element("p", "who", own ? "You" : name);
    if (follows || own) who.classList.add("hidden");
    const bubble = element("p", "bubble", text);
    bubble.dir = "auto";
    const time = element("time");
    this.#stamp(time, at);
    item.append(who, bubble, time);
    return { item, bubble, time };
  }

  #stamp(time, at) {
    const date = new Date(at);
    if (Number.isNaN(date.getTime())) return;
    time.dateTime = date.toISOString();
    time.textContent = clock.format(date);
  }

  #append(item, always) {
    const follow = always || this.#atLatest();
    $("log").append(item);
    while ($("log").children.length > LOG_KEPT) $("log").firstChild.remove();
    if (follow) this.#toLatest();
    else if (item.classList.contains("message")) $("latest").hidden = false;
  }

  #atLatest() {
    const box = $("scroll");
    return box.scrollHeight - box.scrollTop - box.clientHeight < 60;
  }

  #toLatest() {
    this.#stuck = true;
    $("scroll").scrollTop = $("scroll").scrollHeight;
    $("latest").hidden = true;
  }

  // --- the composer

  #submit() {
    if (this.#away || !this.#on.say($("text").value.trim())) return;
    $("text").value = "";
    this.#composer();
    $("text").focus();
  }

  #composer(away = this.#away) {
    this.#away = away;
    const text = $("text");
    text.placeholder = away || "Write a message";
    $("send").disabled = Boolean(away) || !text.value.trim();
    text.style.height = "auto";
    text.style.height = `${Math.min(text.scrollHeight, 140)}px`;
  }
}
