// Forms that speak to the API: `data-post` says where to, `data-go` before which id to go on (else the page is read again),
// `data-failed` of the page what a refusal begins with. What is left empty is not said.

import { say } from "/static/actions.js";
import { ask } from "/static/ask.js";
import { instantOf } from "/static/clock.js";
import { small } from "/static/picture.js";

const texts = document.getElementById("texts").dataset;

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form[data-post]");
  if (!form) return;
  event.preventDefault();
  const complaint = form.querySelector(".error");
  const button = form.querySelector("button.primary") ?? form.querySelector("button");
  if (complaint) complaint.hidden = true;
  button.disabled = true;
  try {
    const said = await ask(form.dataset.post, await bodyOf(form));
    if ("go" in form.dataset) location.assign(form.dataset.go + encodeURIComponent(said.id));
    else location.reload();
  } catch (error) {
    const why = (document.querySelector("main [data-failed]")?.dataset.failed ?? texts.failed) + error.message;
    button.disabled = false;
    if (!complaint) return say(why, true);
    complaint.textContent = why;
    complaint.hidden = false;
    complaint.scrollIntoView({ block: "nearest" });
  }
});

async function bodyOf(form) {
  const said = {};
  for (const [name, value] of new FormData(form)) {
    const field = form.elements.namedItem(name); // a field may be called `item`
    if (value === "" || value.size === 0) continue;
    if (value instanceof File) said[name] = (await ask("/api/v1/duty-checks/photos", await small(value))).id;
    else if (field.type === "datetime-local") said[name] = instantOf(value);
    else if (form.dataset.json === name) said[name] = JSON.parse(value);
    else said[name] = "number" in (field.dataset ?? {}) ? Number(value) : value;
  }
  return said;
}
