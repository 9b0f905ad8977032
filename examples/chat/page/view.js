// What one sees: every access to the document is here. Whatever came over the wire becomes text, never markup.

const $ = (id) => document.getElementById(id);
const GROUP_WITHIN = 120000; // ms: messages of one person that close stand together
const EVENTS_SHOWN = 6;
const LOG_KEPT = 500; // messages and notices

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const exactClock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

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
  #people = new Set();
  #last = null; // the group that the next message may join: {name, at, own}
  #away = ""; // why nothing can be sent now, if so
  #stuck = true; // the newest message stays in sight when the room for messages changes its size

  constructor(on) {
    this.#on = on;
    const text = $("text");
    $("join").addEventListener("submit", (event) => { event.preventDefault(); on.join($("name").value); });
    $("say").addEventListener("submit", (event) => { event.preventDefault(); this.#submit(); });
    text.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#submit();
    });
    text.addEventListener("input", () => this.#composer());
    $("leave").addEventListener("click", () => on.leave());
    $("retry").addEventListener("click", () => on.retry());
    $("latest").addEventListener("click", () => this.#toLatest());
    $("scroll").addEventListener("scroll", () => { if (this.#atLatest()) $("latest").hidden = true; }, { passive: true });
    new ResizeObserver(() => this.#stuck && this.#toLatest()).observe($("scroll"));
    $("scroll").addEventListener("scrollend", () => { this.#stuck = this.#atLatest(); });
    $("side-toggle").addEventListener("click", () => this.#side($("side-toggle").getAttribute("aria-expanded") !== "true"));
    addEventListener("keydown", (event) => { if (event.key === "Escape") this.#side(false); });
  }

  // --- the connection

  transports(names) {
    for (const step of $("rail").children) step.classList.toggle("off", !names.includes(step.dataset.step));
    if (names.length === 1) $("pitch").textContent = `This page stays on ${names[0]}, as its address asks.`;
  }

  connection(state, seconds) {
    const words = {
      connecting: "connecting", polling: "polling", websocket: "websocket",
      waiting: `reconnecting in ${seconds} s`, offline: "offline", stopped: "offline",
    };
    const pill = $("pill");
    // The countdown is for the eye: read aloud is only what state it is.
    if (pill.dataset.state !== state) $("announce").textContent = `Connection: ${state === "waiting" ? "lost, reconnecting" : words[state]}`;
    pill.dataset.state = state;
    $("pill-text").textContent = words[state];
    for (const step of $("rail").children) step.classList.toggle("on", step.dataset.step === state);
    $("rail").classList.toggle("moved", state === "websocket");
    const lost = { waiting: "Connection lost. What you write stays here.", offline: "No network. What you write stays here." }[state];
    if (lost) this.#banner(lost, true);
    else if (state === "connecting" && !$("banner").hidden) this.#banner("Connecting…", false);
  }

  event(text, kind) {
    const item = element("li", kind);
    item.append(element("time", "", exactClock.format(Date.now())), element("span", "", text));
    $("events").append(item);
    while ($("events").children.length > EVENTS_SHOWN) $("events").firstChild.remove();
  }

  // --- which view

  askName(wish, error = "") {
    document.body.dataset.view = "join";
    this.#side(false);
    $("name").value = wish;
    $("join-error").textContent = error;
    $("name").setAttribute("aria-invalid", String(Boolean(error)));
    $("name").focus();
    $("name").select();
  }

  /** Shows the room; with a name and people the room is open, without it is being joined. */
  room(me, people) {
    const entering = document.body.dataset.view !== "room";
    document.body.dataset.view = "room";
    if (me === undefined) return this.#composer("Joining…");
    this.#me = me;
    this.#people = new Set(people);
    $("side").classList.remove("away");
    this.#drawPeople();
    this.#banner();
    this.#composer("");
    if (entering || document.activeElement === document.body) $("text").focus();
  }

  waitForName(name) {
    this.#banner(`Waiting until the server lets go of your lost session as ${name}…`, false);
  }

  outOfRoom() {
    $("side").classList.add("away"); // who was here, until the next welcome says who is
    this.#composer("Not connected");
  }

  clear() {
    $("log").replaceChildren();
    this.#last = null;
    this.#banner();
  }

  // --- the conversation

  joined(name) {
    if (this.#people.has(name)) return;
    this.#people.add(name);
    this.#drawPeople();
    this.notice(`${name} joined`);
  }

  left(name) {
    this.#people.delete(name);
    this.#drawPeople();
    this.notice(`${name} left`);
  }

  notice(text) {
    this.#last = null;
    this.#append(element("li", "notice", text), false);
  }

  said(name, text, at, own) {
    this.#append(this.#message(name, text, at, own).item, own);
  }

  /** Shows an own message that the hub has not sent back yet. */
  unconfirmed(name, text) {
    const { item, bubble, time } = this.#message(name, text, Date.now(), true);
    item.classList.add("pending");
    this.#append(item, true);
    return {
      confirm: (confirmed, at) => {
        item.classList.remove("pending");
        if (bubble.textContent !== confirmed) bubble.textContent = confirmed;
        this.#stamp(time, at);
      },
      fail: (why) => {
        item.classList.replace("pending", "failed");
        const again = element("button", "again", "Send again");
        again.type = "button";
        again.addEventListener("click", () => { if (this.#on.say(text)) item.remove(); });
        item.append(element("p", "why", why));
        item.lastChild.append(" · ", again);
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

  // --- people, composer, banner

  #drawPeople() {
    const names = [...this.#people].sort((a, b) => (b === this.#me) - (a === this.#me) || a.localeCompare(b));
    $("people").replaceChildren(...names.map((name) => {
      const item = element("li");
      item.append(avatar(name), element("span", "name", name));
      if (name === this.#me) item.append(element("span", "you", "you"));
      return item;
    }));
    $("count").textContent = $("count-narrow").textContent = names.length;
  }

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

  #banner(text = "", retry = false) {
    $("banner").hidden = !text;
    $("banner-text").textContent = text;
    $("retry").hidden = !retry;
  }

  #side(shown) {
    $("side-toggle").setAttribute("aria-expanded", String(shown));
    $("side").classList.toggle("shown", shown);
  }
}
