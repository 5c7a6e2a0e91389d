// What a person does with an alert: one request each; the reason is asked for where the history needs one.

import { ask } from "/static/ask.js";

const NEEDS_REASON = new Set(["resolve", "close", "comment"]);
const dialog = document.getElementById("reason");
const field = document.getElementById("reason-text");
const toast = document.getElementById("done");
const texts = document.getElementById("texts").dataset;
let hiding = 0;

/** Do `action` to the alert `id`, called `title` on the screen. */
export async function act(action, id, title, button = null) {
  let why = "";
  if (NEEDS_REASON.has(action)) {
    why = await askReason(action, told(button, title));
    if (why === null) return false;
  }
  return send(`/api/v1/alerts/${encodeURIComponent(id)}/${action}`, { why }, title, button);
}

/** What is called `title` as it is told beside `button`: several alerts may have one title. */
export function told(button, title) {
  const says = button?.closest(".alert, .detail")?.querySelector(".what p, h2 + p")?.textContent;
  return says ? `${title} · ${says}` : title;
}

/** Send `body`; says what came of it. */
export async function send(url, body, title, button = null) {
  if (button) button.disabled = true;
  try {
    await ask(url, body);
    say(`${texts.done} · ${title}`);
    return true;
  } catch (error) {
    say(`${texts.failed}${error.message}`, true);
  } finally {
    if (button) button.disabled = false;
  }
  return false;
}

/** A short word at the bottom. */
export function say(text, bad = false) {
  toast.textContent = text;
  toast.classList.toggle("bad", bad);
  toast.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => (toast.hidden = true), bad ? 8000 : 3000);
}

/** Ask why `action` is done to what is called `title`; null: it is not. */
export function askReason(action, title) {
  const heading = dialog.querySelector("h2");
  heading.textContent = heading.getAttribute(`data-title-${action}`);
  document.getElementById("reason-what").textContent = title;
  field.value = "";
  dialog.returnValue = "cancel";
  dialog.showModal();
  field.focus();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => resolve(dialog.returnValue === "go" && field.value.trim() ? field.value.trim() : null),
      { once: true },
    );
  });
}
