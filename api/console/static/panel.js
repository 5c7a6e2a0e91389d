// The side panel: a round's visits or an alert's history, beside the room.

import { writeAges } from "/static/clock.js";
import { morphChildren } from "/static/morph.js";

const panel = document.getElementById("panel");
const body = document.getElementById("panel-body");
let shown = null;
let opener = null;

/** Show what `href` leads to. */
export async function openPanel(href, from) {
  if (await load(href)) {
    if (panel.hidden) opener = from;
    panel.hidden = false;
    panel.scrollTop = 0;
    panel.focus();
  } else {
    location.assign(href);
  }
}

/** Close it; the focus goes back to where it came from. */
export function closePanel() {
  if (panel.hidden) return false;
  panel.hidden = true;
  shown = null;
  if (opener?.isConnected) opener.focus();
  return true;
}

/** Something of `kind` with this id changed: show it as it is now. */
export function refreshPanel(kind, id) {
  const detail = body.querySelector("[data-kind]");
  if (shown && detail?.dataset.kind === kind && detail.dataset.id === id) load(shown);
}

async function load(href) {
  let answer;
  try {
    answer = await fetch(`${href}?panel=1`, { cache: "no-cache" });
  } catch {
    return false;
  }
  if (!answer.ok) return false;
  const fresh = document.createElement("template");
  fresh.innerHTML = await answer.text();
  writeAges(fresh.content);
  morphChildren(body, fresh.content);
  shown = href;
  return true;
}

document.getElementById("panel-close").addEventListener("click", closePanel);
