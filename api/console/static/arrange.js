// What people arrange: silences, planned work, who stands in. Times are the site's, wherever the browser stands.

import { askReason, say, send, told } from "/static/actions.js";
import { instantOf } from "/static/clock.js";

const dialog = document.getElementById("quiet");
const why = document.getElementById("quiet-why");
const scope = document.getElementById("quiet-scope");
const until = document.getElementById("quiet-until");
const usual = why.value;
const single = document.body.classList.contains("alone");

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-silence], [data-end], [data-cancel]");
  if (!button) return;
  const { silence, end, cancel } = button.dataset;
  const title = titleOf(button);
  let done = false;
  if (silence) done = await askSilence(silence, title, button);
  else {
    const reason = await askReason(end ? "end" : "cancel", title);
    if (reason === null) return;
    const url = end ? `/api/v1/silences/${end}/end` : `/api/v1/duty/swaps/${cancel}/cancel`;
    done = await send(url, { why: reason }, title, button);
  }
  if (done && single) location.reload();
});

// What is chosen by its name fills in the id; an id that is typed chooses the name; the kind says what there is to choose from.
document.addEventListener("input", (event) => {
  const offered = event.target.form?.querySelector("select[data-fills]");
  if (!offered) return;
  const { on, [offered.dataset.fills]: subject } = event.target.form.elements;
  if (event.target === offered) subject.value = offered.value.slice(offered.value.indexOf(":") + 1);
  else if (event.target === on) subject.value = offered.value = "";
  else if (event.target === subject) {
    const found = [`${on.value}:`, ...[...on.options].map((option) => `${option.value}:`)]
      .map((kind) => kind + subject.value)
      .find((value) => [...offered.options].some((option) => option.value === value));
    offered.value = found ?? "";
    if (found) on.value = found.slice(0, found.indexOf(":"));
  }
  for (const group of offered.querySelectorAll("optgroup")) group.hidden = group.dataset.on !== on.value;
});

async function askSilence(id, title, button) {
  document.getElementById("quiet-what").textContent = told(button, title);
  why.value = usual;
  scope.value = "rule";
  scope.querySelector('[value="place"]').hidden = !("place" in button.dataset);
  until.value = "";
  dialog.returnValue = "cancel";
  dialog.showModal();
  const chosen = await new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
  });
  const body = { scope: scope.value, why: why.value.trim() };
  if (chosen === "tonight") body.tonight = true;
  else if (chosen === "until" && until.value) body.until = instantOf(until.value);
  else if (chosen === "until") return say(until.closest("label").textContent.trim(), true);
  else if (/^\d+$/.test(chosen)) body.lasts_s = Number(chosen);
  else return false;
  return send(`/api/v1/alerts/${encodeURIComponent(id)}/silence`, body, title, button);
}

function titleOf(element) {
  return element.closest(".alert, .detail, .quiet-row")?.querySelector(".what a, h2, .about")?.textContent.trim() ?? "";
}
