// What could not be read: several are tried at once, what that gives is shown, and only then it is done.

import { say, send } from "/static/actions.js";
import { ask } from "/static/ask.js";

const page = document.querySelector(".quarantine-page");
const effect = document.getElementById("effect");
const all = document.getElementById("choose-all");
const failed = document.getElementById("texts").dataset.failed;

all?.addEventListener("change", () => {
  for (const box of page.querySelectorAll('[name="chosen"]:not(:disabled)')) box.checked = all.checked;
});

document.getElementById("try-chosen")?.addEventListener("click", async (event) => {
  const rows = [...page.querySelectorAll('[name="chosen"]:checked')].map((box) => Number(box.value));
  if (!rows.length) return say(page.dataset.none, true);
  event.target.disabled = true;
  try {
    effect.innerHTML = await ask("/quarantine/effect", { rows: rows.slice(0, Number(page.dataset.most)) });
  } catch (error) {
    say(failed + error.message, true);
  } finally {
    event.target.disabled = false;
  }
  effect.scrollIntoView({ block: "nearest" });
});

effect?.addEventListener("click", async (event) => {
  const button = event.target.closest("#read-again");
  if (!button) return;
  const body = { rows: button.dataset.rows.split(",").map(Number), also_worse: "worse" in button.dataset };
  if (await send("/api/v1/quarantine/reread", body, button.textContent, button)) location.reload();
});
