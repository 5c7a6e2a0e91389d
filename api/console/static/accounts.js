// Accounts and keys: forms and buttons that speak to the API; what is shown once stands in a dialog until it is closed.

import { say } from "/static/actions.js";
import { ask } from "/static/ask.js";

const texts = document.getElementById("account-texts").dataset;
const once = document.getElementById("once");
const sure = document.getElementById("sure");

/** Links that no other machine can open. */
const LOOPBACK = /^https?:\/\/(127\.|localhost[:/]|\[::1\])/;

/** What a form says, as the API takes it. */
function bodyOf(form) {
  const said = {};
  for (const field of form.elements) {
    if (!field.name || field.type === "radio" || field.type === "checkbox") continue;
    const value = field.value.trim();
    if (value === "" && field.dataset.empty === "skip") continue;
    if (field.type === "number") said[field.name] = Number(value);
    else said[field.name] = value === "" && !field.required ? null : field.type === "password" ? field.value : value;
  }
  if (form.elements.scope) said.places = form.elements.scope.value === "all" ? null : checked(form, "places");
  if (form.elements.limited) said.rights = form.elements.limited.value === "all" ? null : checked(form, "rights");
  return said;
}

const checked = (form, name) =>
  [...form.querySelectorAll(`input[name="${name}"]:checked:not(:disabled)`)].map((box) => box.value);

/** Show what is shown once; resolves when it is put away. */
function showOnce(title, says, text, qr, expires) {
  document.getElementById("once-title").textContent = title;
  document.getElementById("once-says").textContent = says;
  const frame = document.getElementById("once-qr");
  frame.replaceChildren();
  if (qr) frame.innerHTML = qr; // made by our own server
  frame.hidden = !qr;
  document.getElementById("once-text").value = text;
  const here = document.getElementById("once-here");
  here.hidden = !LOOPBACK.test(text);
  here.textContent = here.dataset.says.replace("…", location.origin);
  const until = new Date(expires).toLocaleString(document.body.dataset.language, {
    timeZone: document.body.dataset.zone, dateStyle: "medium", timeStyle: "short",
  });
  document.getElementById("once-until").textContent = texts.until.replace("…", until);
  once.showModal();
  document.getElementById("once-copy").focus();
  return new Promise((resolve) => once.addEventListener("close", resolve, { once: true }));
}

document.getElementById("once-close").addEventListener("click", () => once.close());
document.getElementById("once-copy").addEventListener("click", async (event) => {
  const field = document.getElementById("once-text");
  field.select();
  // The clipboard is there over TLS and on this machine; elsewhere the old way.
  if (navigator.clipboard) await navigator.clipboard.writeText(field.value);
  else document.execCommand("copy");
  event.target.textContent = event.target.dataset.copied;
});

/** Ask whether it is meant; resolves to yes or no. */
function askSure(button) {
  document.getElementById("sure-title").textContent = button.dataset.sure;
  document.getElementById("sure-says").textContent = button.dataset.sureSays;
  const go = document.getElementById("sure-go");
  go.textContent = button.dataset.sure;
  go.classList.toggle("danger", button.classList.contains("danger"));
  sure.returnValue = "cancel";
  sure.showModal();
  return new Promise((resolve) =>
    sure.addEventListener("close", () => resolve(sure.returnValue === "go"), { once: true }),
  );
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-link], [data-do]");
  if (!button) return;
  if (button.dataset.sure && !(await askSure(button))) return;
  button.disabled = true;
  try {
    if (button.dataset.link) {
      const link = await ask(button.dataset.link, {});
      await showOnce(button.dataset.title, button.dataset.says, link.url, link.qr, link.expires);
      location.reload();
      return;
    }
    await ask(button.dataset.do, JSON.parse(button.dataset.body ?? "{}"), button.dataset.method);
    if (button.dataset.next) location.href = button.dataset.next;
    else location.reload();
  } catch (error) {
    say(texts.failed + error.message, true);
    button.disabled = false;
  }
});

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form[data-send]");
  if (!form) return;
  event.preventDefault();
  const complaint = form.querySelector(".error");
  const button = form.querySelector("button");
  complaint.hidden = true;
  button.disabled = true;
  try {
    const again = form.querySelector("[data-again]");
    if (again && again.value !== form.elements[again.dataset.again].value) throw new Error(again.dataset.differ);
    const said = await ask(form.dataset.send, bodyOf(form), form.dataset.method);
    await after(form, said);
  } catch (error) {
    complaint.textContent = error.message;
    complaint.hidden = false;
    complaint.scrollIntoView({ block: "nearest" });
    button.disabled = false;
  }
});

/** What follows when it is done: a new account's link, a new key's text, a word, or the page read again. */
async function after(form, said) {
  if (form.dataset.then === "key") await showOnce(texts.key, texts.keySays, said.text, "", said.key.expires);
  if (form.dataset.then === "link") {
    const guard = said.role === "guard";
    const link = await ask(`/api/v1/users/${said.id}/${guard ? "link" : "password"}`, {});
    const [title, says] = guard ? [texts.link, texts.linkSays] : [texts.password, texts.passwordSays];
    await showOnce(title.replace("…", said.called ?? said.login), says, link.url, link.qr, link.expires);
  }
  if (form.dataset.said) {
    form.reset();
    form.querySelector("button").disabled = false;
    say(form.dataset.said);
    setTimeout(() => location.reload(), 1500);
  } else location.reload();
}

document.addEventListener("change", (event) => {
  const form = event.target.form;
  if (!form) return;
  if (event.target.name === "scope") form.querySelector("[data-part]").hidden = event.target.value === "all";
  if (event.target.name === "limited") form.querySelector("[data-some]").hidden = event.target.value === "all";
  if (event.target.name === "role") offer(form);
});

/** Only the rights that the chosen role has are offered. */
function offer(form) {
  for (const box of form.querySelectorAll("[data-roles]")) {
    const has = box.dataset.roles.split(" ").includes(form.elements.role.value);
    box.disabled = !has;
    box.closest("label").hidden = !has;
  }
}

for (const form of document.querySelectorAll("form[data-send]")) if (form.elements.role) offer(form);
