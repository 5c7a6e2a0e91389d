// A single page: its ages move, and what it offers is done; then it is read again.

import { act } from "/static/actions.js";
import "/static/arrange.js";
import "/static/forms.js";
import "/static/menu.js";
import { startClock } from "/static/clock.js";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-action]");
  if (!button) return;
  const title = button.closest(".detail")?.querySelector("h2")?.textContent ?? "";
  if (await act(button.dataset.action, button.dataset.alert, title, button)) location.reload();
});

// The chosen date opens that day's report.
document.querySelector("[data-report-form]")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const date = new FormData(event.target).get("date");
  if (date) location.href = `/reports/day:${date}`;
});

startClock();
