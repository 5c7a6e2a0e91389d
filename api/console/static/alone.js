// A single page: only its ages move.

import { startClock } from "/static/clock.js";

// The chosen date opens that day's report.
document.querySelector("[data-report-form]")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const date = new FormData(event.target).get("date");
  if (date) location.href = `/reports/day:${date}`;
});

startClock();
