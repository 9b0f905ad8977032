// What the pages have in common: the badge of the connection, what it did, the switch that blocks WebSocket, the
// banner, and the side that a narrow screen folds away. The elements have the same ids in both pages.
//
// The address may say which transports are used: ?transport=polling or ?transport=websocket; without it polling
// comes first and moves to WebSocket. The switch changes the address, so that a reload keeps it.

const $ = (id) => document.getElementById(id);
const EVENTS_SHOWN = 6;
const BOTH = ["polling", "websocket"];

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

export function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

export class Panel {
  /** As the address asks. */
  transports;
  #keeps; // what is lost with the connection and what is not, for the banner

  /** `on`: transports(names) when the switch is used, retry() when the banner's button is. */
  constructor(on, keeps) {
    this.#keeps = keeps;
    const wanted = new URLSearchParams(location.search).get("transport");
    this.#use(BOTH.includes(wanted) ? [wanted] : BOTH);
    $("websocket-switch").addEventListener("change", ({ target }) => {
      const url = new URL(location.href);
      if (target.checked) url.searchParams.delete("transport");
      else url.searchParams.set("transport", "polling");
      history.replaceState(null, "", url);
      this.#use(target.checked ? BOTH : ["polling"]);
      on.transports(this.transports);
    });
    $("retry").addEventListener("click", () => on.retry());
    $("side-toggle").addEventListener("click", () => this.side($("side-toggle").getAttribute("aria-expanded") !== "true"));
    addEventListener("keydown", (event) => { if (event.key === "Escape") this.side(false); });
  }

  state(state, seconds) {
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
    const lost = { waiting: "Connection lost.", offline: "No network." }[state];
    if (lost) this.banner(`${lost} ${this.#keeps}`, true);
    else if (state === "connecting" && !$("banner").hidden) this.banner("Connecting…");
  }

  event(text, kind) {
    const item = element("li", kind);
    item.append(element("time", "", clock.format(Date.now())), element("span", "", text));
    $("events").append(item);
    while ($("events").children.length > EVENTS_SHOWN) $("events").firstChild.remove();
  }

  banner(text = "", retry = false) {
    $("banner").hidden = !text;
    $("banner-text").textContent = text;
    $("retry").hidden = !retry;
  }

  side(shown) {
    $("side-toggle").setAttribute("aria-expanded", String(shown));
    $("side").classList.toggle("shown", shown);
  }

  #use(transports) {
    this.transports = transports;
    for (const step of $("rail").children) step.classList.toggle("off", !transports.includes(step.dataset.step));
    $("websocket-switch").checked = transports.includes("websocket");
  }
}
