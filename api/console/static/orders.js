// Work orders: running clocks, what people do, and the page fetched again when an order changed.

import { fill, now, setClock } from "/static/clock.js";
import { morphChildren } from "/static/morph.js";

const root = document.querySelector(".orders");
const texts = document.getElementById("texts").dataset;
const zone = document.body.dataset.zone;

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

/** The instant of a local time on the site's clock, as RFC 3339 in UTC. */
function onSite(text) {
  const wanted = Date.parse(`${text}Z`);
  const parts = new Intl.DateTimeFormat("en-CA", {
    timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
  });
  const shown = (at) => {
    const found = Object.fromEntries(parts.formatToParts(at).map((part) => [part.type, part.value]));
    return Date.UTC(found.year, found.month - 1, found.day, found.hour, found.minute, found.second);
  };
  let at = wanted;
  for (let round = 0; round < 3; round += 1) at += wanted - shown(at);
  return new Date(at).toISOString();
}

function said(form) {
  const body = {};
  for (const [name, value] of new FormData(form)) {
    if (value === "" && name !== "content") continue;
    if (form.elements[name].type === "datetime-local") body[name] = onSite(value);
    else if (name === "content") body[name] = JSON.parse(value);
    else body[name] = value;
  }
  return body;
}

async function send(form) {
  const { step: action, order } = form.dataset;
  const made = { report: "/api/v1/work-orders", "from-alert": "/api/v1/work-orders/from-alert" }[action];
  const path = made ?? `/api/v1/work-orders/${encodeURIComponent(order)}/${action}`;
  const complaint = form.querySelector(".error");
  const button = form.querySelector("button.primary");
  complaint.hidden = true;
  button.disabled = true;
  try {
    const answer = await fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(said(form)) });
    if (answer.ok) {
      if (made) location.assign(`/work-orders/${(await answer.json()).id}`);
      else location.reload();
      return;
    }
    complaint.textContent = root.dataset.failed + (await answer.json()).says;
  } catch (error) {
    complaint.textContent = root.dataset.failed + error.message;
  } finally {
    button.disabled = false;
  }
  complaint.hidden = false;
  complaint.scrollIntoView({ block: "nearest" });
}

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-step]");
  if (!form) return;
  event.preventDefault();
  send(form);
});

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
