// The control room: wires the live feed, the parts of the page, the keyboard and the sound.

import { act } from "/static/actions.js";
import "/static/arrange.js";
import "/static/forms.js";
import { startClock } from "/static/clock.js";
import { listen } from "/static/live.js";
import "/static/menu.js";
import { closePanel, openPanel, refreshPanel } from "/static/panel.js";
import { startMap, togglePause } from "/static/plan.js";
import { refresh, refreshAll, setSpan, touch, whenAlertAppears } from "/static/sections.js";
import { ring, startSound, toggleSound } from "/static/sound.js";
import { startWall } from "/static/wall.js";

const help = document.getElementById("help");
const told = document.getElementById("told");
const title = document.title;

startClock();
startSound();
startMap();
startWall();
countInTitle();

whenAlertAppears((row) => {
  row.classList.add("fresh");
  told.textContent = `${told.dataset.new}${row.querySelector(".badge").textContent} ${row.querySelector(".what a").textContent}`;
  if (row.dataset.severity === "critical" && row.dataset.state === "open") ring();
});

listen({
  changed(kind, data) {
    touch(kind);
    if (kind === "alert") refreshPanel("alert", data.alert?.id ?? data.id);
    if (kind === "round") refreshPanel("round", data.id);
  },
  back: refreshAll,
  ended() {
    document.getElementById("ended").hidden = false;
    document.getElementById("lost").hidden = true;
  },
});

// The line of now moves, and what is due next, without any event.
setInterval(() => ["rounds", "summary", "plan"].forEach(refresh), 30000);
new MutationObserver(countInTitle).observe(document.getElementById("alerts") ?? told, {
  childList: true,
  subtree: true,
  attributeFilter: ["data-open"],
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-action]");
  if (button) {
    act(button.dataset.action, button.dataset.alert, titleOf(button), button);
    return;
  }
  const span = event.target.closest("[data-span]");
  if (span) {
    setSpan(span.dataset.span);
    return;
  }
  const link = event.target.closest("a[data-panel]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0) {
    event.preventDefault();
    openPanel(link.getAttribute("href"), link);
  }
});
document.getElementById("help-open").addEventListener("click", () => help.showModal());

const KEYS = {
  j: () => select(1),
  k: () => select(-1),
  a: () => onSelected("ack"),
  s: () => onSelected("start"),
  r: () => onSelected("resolve"),
  m: toggleSound,
  p: togglePause,
  w: () => document.getElementById("wall-mode")?.click(),
  "?": () => help.showModal(),
  Escape: closePanel,
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.closest("input, textarea, select")) return;
  const does = KEYS[event.key];
  if (!does) return;
  event.preventDefault();
  does();
});

function rows() {
  return [...document.querySelectorAll(".alerts > .alert")];
}

function select(step) {
  const all = rows();
  const at = all.indexOf(document.activeElement?.closest(".alert"));
  const next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + step, 0), all.length - 1)];
  next?.querySelector(".what a").focus();
  next?.scrollIntoView({ block: "nearest" });
}

function onSelected(action) {
  const row = document.activeElement?.closest(".alerts > .alert");
  const button = row?.querySelector(`[data-action="${action}"]`);
  if (button) act(action, row.dataset.key, titleOf(row), button);
}

function titleOf(element) {
  return element.closest(".alert, .detail")?.querySelector(".what a, h2")?.textContent ?? "";
}

function countInTitle() {
  const open = Number(document.querySelector(".alerts")?.dataset.open ?? 0);
  document.title = open ? `(${open}) ${title}` : title;
}
