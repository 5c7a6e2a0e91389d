// People and tags: whose a tag is, with what that changes shown before it is done; and "tap now", over the live events.

import { say, send } from "/static/actions.js";
import { ask } from "/static/ask.js";

const DONE = "people-done";
const texts = document.getElementById("people-texts").dataset;
const tapped = document.getElementById("tapped");
const starter = document.getElementById("tap-now");
const begin = starter.textContent;
let source = null;

const done = sessionStorage.getItem(DONE);
sessionStorage.removeItem(DONE);
if (done) say(done);

for (const details of document.querySelectorAll(".unknown details")) likelyFirst(details);

document.addEventListener("change", (event) => {
  const form = event.target.closest("form.enrol");
  if (!form || event.target.name !== "owner") return;
  const isNew = event.target.value === "new:";
  const more = form.querySelector(".new-person");
  more.hidden = !isNew;
  for (const field of more.querySelectorAll("input")) field.required = isNew;
  show(form);
});

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.id === "new-person") {
    event.preventDefault();
    if (await enrolPerson(form, form.elements.tag.value.trim())) again();
  } else if (form.matches("form.enrol")) {
    event.preventDefault();
    const button = form.querySelector("button");
    const done =
      form.elements.owner.value === "new:"
        ? await enrolPerson(form, form.dataset.tag)
        : await send("/api/v1/tags", wish(form), form.dataset.tag, button);
    if (done) again(form.querySelector(".effect").textContent);
  }
});

document.addEventListener("click", async (event) => {
  const { withdraw, withdrawPerson, name } = event.target.closest("button")?.dataset ?? {};
  if (withdraw) {
    const found = await effectOf("/api/v1/tags/withdraw", { tag: withdraw, preview: true });
    if (found === null) return;
    const question = `${texts.withdraw.replace("{tag}", withdraw)}\n${words(found)}`;
    if (confirm(question) && (await send("/api/v1/tags/withdraw", { tag: withdraw }, withdraw))) again();
  } else if (withdrawPerson && confirm(texts.withdrawPerson.replace("{name}", name))) {
    if (await send(`/api/v1/people/${encodeURIComponent(withdrawPerson)}/withdraw`, {}, name)) again();
  }
});

starter.addEventListener("click", () => (source ? stop() : start()));

/** Read the page again; what was done stays on the screen. */
function again(more = "") {
  const done = document.getElementById("done").textContent;
  sessionStorage.setItem(DONE, more ? `${done} · ${more}` : done);
  location.reload();
}

function wish(form) {
  const [kind, id] = split(form.elements.owner.value);
  return { tag: form.dataset.tag, [kind]: id };
}

function split(owner) {
  const colon = owner.indexOf(":");
  return [owner.slice(0, colon), owner.slice(colon + 1)];
}

function enrolPerson(form, tag) {
  const { id, name, role } = form.elements;
  const body = { id: id.value.trim(), name: name.value.trim(), roles: [role.value] };
  if (tag) body.tag = tag;
  return send("/api/v1/people", body, body.name, form.querySelector("button"));
}

/** What an enrolment would change, before it is done. */
async function show(form) {
  const button = form.querySelector("button");
  const effect = form.querySelector(".effect");
  const owner = form.elements.owner.value;
  button.disabled = owner === "";
  effect.textContent = "";
  if (owner === "" || owner === "new:") return;
  button.disabled = true;
  const found = await effectOf("/api/v1/tags", { ...wish(form), preview: true });
  if (form.elements.owner.value !== owner) return;
  button.disabled = found === null;
  if (found !== null) effect.textContent = words(found);
}

async function effectOf(url, body) {
  try {
    return await ask(url, body);
  } catch (error) {
    say(error.message, true);
    return null;
  }
}

function words({ visits, alerts }) {
  const kinds = new Map();
  for (const { before, after } of visits) {
    const change = `${verdict(before)} → ${verdict(after)}`;
    kinds.set(change, (kinds.get(change) ?? 0) + 1);
  }
  const count = Object.keys(alerts).length;
  if (!visits.length && !count) return texts.effectNone;
  const parts = [...kinds].map(([change, times]) =>
    texts.effectVisits.replace("{count}", times).replace("{change}", change),
  );
  if (count) parts.push(texts.effectAlerts.replace("{count}", count));
  return texts.effect.replace("{what}", parts.join("；"));
}

function verdict(code) {
  return document.getElementById("people-texts").getAttribute(`data-verdict-${code}`) ?? code;
}

/** A tag read at a fixed reader is a person's, one read by a wand or phone is on a wall: that group comes first. */
function likelyFirst(details) {
  for (const select of details.querySelectorAll("select[name=owner]")) {
    const group = select.querySelector(`optgroup[data-of="${details.dataset.of}"]`);
    if (group) select.querySelector("option[value='']").after(group);
  }
}

function start() {
  source = new EventSource("/api/v1/events");
  source.addEventListener("tap", (event) => read(JSON.parse(event.data)));
  source.addEventListener("error", () => say(texts.lost, true));
  starter.textContent = starter.dataset.stop;
  starter.classList.remove("primary");
  state("waiting");
}

function stop() {
  source.close();
  source = null;
  starter.textContent = begin;
  starter.classList.add("primary");
  state("idle");
}

/** Somebody tapped: an unknown tag is offered for enrolment, of a known one it is said whose it is. */
async function read({ device, observation }) {
  const { tag } = observation;
  const answer = await fetch(`/api/v1/tags/owner?tag=${encodeURIComponent(`hex:${tag}`)}`);
  if (!answer.ok) return;
  const { person, checkpoint, called } = await answer.json();
  if (person || checkpoint) {
    tapped.hidden = true;
    const known = document.querySelector("[data-tap=known]");
    known.textContent = texts.known.replace("{tag}", tag).replace("{whose}", called).replace("{device}", device);
    state("known");
    return;
  }
  const form = tapped.querySelector("form");
  if (tapped.hidden || form.dataset.tag !== tag) {
    form.reset();
    form.querySelector(".new-person").hidden = true;
    form.dataset.tag = tag;
    tapped.querySelector("[data-tapped=tag]").textContent = tag;
    tapped.querySelector("[data-tapped=where]").textContent = device;
    tapped.hidden = false;
    form.elements.owner.focus();
    show(form);
  }
}

function state(name) {
  for (const part of document.querySelectorAll("[data-tap]")) {
    part.hidden = part.dataset.tap !== name && !(name === "known" && part.dataset.tap === "waiting");
  }
}
