// Work orders: running clocks, forms that are opened, and the page fetched again when an order changed.

import { fill, now, setClock } from "/static/clock.js";
import { morphChildren } from "/static/morph.js";

const root = document.querySelector(".orders");
const texts = document.getElementById("texts").dataset;

/** "1 h 5 min" of so many milliseconds. */
function span(length) {
  const minutes = Math.floor(length / 60000);
  if (minutes < 60) return fill(texts.minutes, { m: minutes });
  if (minutes < 1440) return fill(texts.hours, { h: Math.floor(minutes / 60), m: minutes % 60 });
  return fill(texts.days, { d: Math.floor(minutes / 1440), h: Math.floor((minutes % 1440) / 60) });
}

function writeDues(part = document) {
  for (const element of part.querySelectorAll("[data-due]")) {
    const left = Date.parse(element.dataset.due) - now();
    const text = left < 0 ? root.dataset.over : root.dataset.left;
    const length = left < 0 ? Math.max(-left, 0) : left + 59999;
    element.textContent = text.replace("{time}", span(length));
    element.closest(".due")?.classList.toggle("is-over", left < 0);
  }
}

document.addEventListener("click", (event) => {
  const open = event.target.closest("[data-open]");
  if (open) document.getElementById(`do-${open.dataset.open}`)?.showModal();
  if (event.target.closest("[data-back]")) event.target.closest("dialog").close();
});

let waiting = 0;

/** What somebody fills in is left to him: asked again when the form may be closed. */
function putOff() {
  if (!document.querySelector("dialog[open]")) return false;
  refresh();
  return true;
}

function refresh() {
  if (waiting) return;
  waiting = setTimeout(async () => {
    waiting = 0;
    if (putOff()) return;
    try {
      const asked = new URLSearchParams(location.search);
      asked.set("part", "1");
      const answer = await fetch(`${location.pathname}?${asked}`, { cache: "no-cache" });
      if (!answer.ok) return;
      const fresh = document.createElement("template");
      fresh.innerHTML = await answer.text();
      const part = fresh.content.querySelector(".orders");
      if (putOff()) return; // a form was opened meanwhile
      writeDues(part);
      if (root.dataset.order) location.reload();
      else morphChildren(root, part, () => {});
    } catch {
      // the next event, or the reader, tries again
    }
  }, 800);
}

if (root.matches("[data-live-orders]")) {
  if (root.dataset.now) setClock(root.dataset.now);
  const source = new EventSource(`/api/v1/events?after=${root.dataset.latest}`);
  source.addEventListener("heartbeat", (event) => setClock(JSON.parse(event.data).at));
  source.addEventListener("work_order", (event) => {
    if (!root.dataset.order || JSON.parse(event.data).id === root.dataset.order) refresh();
  });
  addEventListener("pagehide", () => source.close());
  writeDues();
  setInterval(writeDues, 5000);
}
