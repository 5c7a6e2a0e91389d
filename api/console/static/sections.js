// The parts of the page, fetched again when something in them changed: at most once a second each.

import { writeAges } from "/static/clock.js";
import { morphChildren } from "/static/morph.js";

const TOUCHED = {
  round: ["rounds", "summary", "plan"],
  gap: ["plan"],
  lamp: ["lights", "summary", "plan"],
  circuit: ["lights", "summary", "plan"],
  camera: ["zones", "plan"],
  zone: ["zones", "summary", "plan"],
  device: ["links"],
  link: ["links", "summary"],
  alert: ["alerts", "summary", "plan"],
};
const PAUSE_MS = 1000;

const waiting = new Map();
let span = "";
let onAlert = () => {};
const onLoad = new Map();

/** Call `told(element)` for each alert row that appears. */
export function whenAlertAppears(told) {
  onAlert = told;
}

/** Call `drawn()` each time `section` was fetched. */
export function whenLoaded(section, drawn) {
  onLoad.set(section, drawn);
}

/** Something of `kind` changed. */
export function touch(kind) {
  for (const section of TOUCHED[kind] ?? []) refresh(section);
}

/** Draw so much of the night from now on. */
export function setSpan(wanted) {
  span = wanted;
  if (waiting.has("rounds")) waiting.get("rounds").next = 0;
  refresh("rounds");
}

/** Fetch everything again. */
export function refreshAll() {
  for (const section of document.querySelectorAll("[data-section]")) refresh(section.dataset.section);
}

/** Fetch one part again, soon. */
export function refresh(section) {
  const state = waiting.get(section) ?? { timer: 0, next: 0 };
  waiting.set(section, state);
  if (state.timer) {
    state.again = state.loading;
    return;
  }
  state.timer = setTimeout(async () => {
    state.loading = true;
    try {
      await load(section);
    } finally {
      state.loading = false;
      state.next = Date.now() + PAUSE_MS;
      state.timer = 0;
      if (state.again) {
        state.again = false;
        refresh(section);
      }
    }
  }, Math.max(60, state.next - Date.now()));
}

async function load(section) {
  const root = document.querySelector(`[data-section="${section}"]`);
  if (!root) return;
  let answer;
  try {
    const more = section === "rounds" && span ? `?span=${span}` : "";
    answer = await fetch(`/console/${section}${more}`, { cache: "no-cache" });
  } catch {
    return; // the live feed notices and tells
  }
  if (!answer.ok) return;
  const fresh = document.createElement("template");
  fresh.innerHTML = await answer.text();
  writeAges(fresh.content);
  const appeared = [];
  const before = root.querySelector(".alerts");
  // In a list that was cut short, what moves up because something left is not new: only what changed since.
  const since = before && "cut" in before.dataset ? Date.parse(before.dataset.touched) : -Infinity;
  morphChildren(root, fresh.content, (element) => appeared.push(element));
  onLoad.get(section)?.();
  if (section === "alerts") {
    for (const element of appeared) {
      if (element.matches(".alerts > .alert") && Date.parse(element.dataset.updated) > since) onAlert(element);
    }
  }
}
