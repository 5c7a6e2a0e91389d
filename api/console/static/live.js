// The live feed: what changed, by Server-Sent Events; and the honest word when it is broken.

import { fill, now, setClock, timeOfDay } from "/static/clock.js";

const SILENT_MS = 25000; // the server speaks at least every 10 s
const KINDS = ["round", "gap", "lamp", "circuit", "camera", "zone", "device", "link", "alert"];

const status = document.getElementById("live");
const banner = document.getElementById("lost");
const sentence = banner.querySelector("[data-text]");

let source = null;
let last = document.body.dataset.latest;
let heard = now();
let retry = 1000;
let timer = 0;
let broken = false;

/** Listen; `changed(kind, data)` for each event, `back()` after a break was mended, `ended()` when the session is over. */
export function listen({ changed, back, ended }) {
  const hear = (event) => {
    heard = now();
    if (event.lastEventId) last = event.lastEventId;
    clearTimeout(timer);
    timer = setTimeout(restart, SILENT_MS);
  };

  const open = () => {
    source?.close();
    source = new EventSource(`/api/v1/events?after=${last}`);
    source.addEventListener("heartbeat", (event) => {
      setClock(JSON.parse(event.data).at);
      hear(event);
      retry = 1000;
      show("live");
      if (broken) back();
      broken = false;
    });
    for (const kind of KINDS) {
      source.addEventListener(kind, (event) => {
        hear(event);
        changed(kind, JSON.parse(event.data));
      });
    }
    source.onerror = lose;
    clearTimeout(timer);
    timer = setTimeout(restart, SILENT_MS);
  };

  const lose = async () => {
    source.close();
    clearTimeout(timer);
    broken = true;
    show("lost");
    if (await sessionOver()) {
      ended();
      return;
    }
    timer = setTimeout(open, retry);
    retry = Math.min(retry * 2, 15000) * (0.8 + 0.4 * Math.random());
  };

  const restart = () => lose();

  addEventListener("offline", () => lose());
  addEventListener("online", () => {
    if (!broken) return;
    clearTimeout(timer);
    open();
  });
  addEventListener("pagehide", () => source?.close());
  addEventListener("pageshow", (event) => event.persisted && open());
  open();
}

async function sessionOver() {
  try {
    return (await fetch("/api/v1/places?limit=1", { headers: { accept: "application/json" } })).status === 401;
  } catch {
    return false;
  }
}

function show(state) {
  status.dataset.state = state;
  for (const word of status.querySelectorAll("[data-live]")) word.hidden = word.dataset.live !== state;
  const lost = state === "lost";
  if (lost && banner.hidden) sentence.textContent = fill(sentence.dataset.text, { time: timeOfDay(heard) });
  banner.hidden = !lost;
  document.body.classList.toggle("is-lost", lost);
}
