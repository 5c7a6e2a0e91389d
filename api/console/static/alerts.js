// The list of alerts: the keyboard as in the control room, and several acknowledged at once.

import { act, say } from "/static/actions.js";

const page = document.querySelector(".alerts-page");
const all = document.getElementById("choose-all");

const KEYS = {
  j: () => select(1),
  k: () => select(-1),
  a: () => onSelected("ack"),
  s: () => onSelected("start"),
  r: () => onSelected("resolve"),
  x: () => current()?.querySelector('[name="chosen"]')?.click(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.closest('input:not([type="checkbox"]), textarea, select')) return;
  const does = KEYS[event.key];
  if (!does) return;
  event.preventDefault();
  does();
});

all?.addEventListener("change", () => {
  for (const box of chosen(false)) box.checked = all.checked;
});

document.getElementById("ack-chosen")?.addEventListener("click", async (event) => {
  const boxes = chosen(true);
  if (!boxes.length) return say(page.dataset.none, true);
  event.target.disabled = true;
  let done = 0;
  for (const box of boxes) if (await act("ack", box.value, titleOf(box.closest(".alert")))) done += 1;
  event.target.disabled = false;
  if (done) location.reload();
});

function chosen(checked) {
  return [...page.querySelectorAll(`[name="chosen"]${checked ? ":checked" : ""}`)];
}

function rows() {
  return [...page.querySelectorAll(".alerts > .alert")];
}

function current() {
  return document.activeElement?.closest(".alerts > .alert");
}

function select(step) {
  const found = rows();
  const at = found.indexOf(current());
  const next = found[at < 0 ? (step > 0 ? 0 : found.length - 1) : Math.min(Math.max(at + step, 0), found.length - 1)];
  next?.querySelector(".what a").focus();
  next?.scrollIntoView({ block: "nearest" });
}

async function onSelected(action) {
  const row = current();
  const button = row?.querySelector(`[data-action="${action}"]`);
  if (button && (await act(action, row.dataset.key, titleOf(row), button))) location.reload();
}

function titleOf(row) {
  return row.querySelector(".what a").textContent;
}
