// Pages of lights and cameras: charts that come after the page, and devices that are taken out of service and back.

import { askReason, send } from "/static/actions.js";

for (const place of document.querySelectorAll("[data-load]")) load(place);

async function load(place) {
  try {
    const answer = await fetch(place.dataset.load, { cache: "no-cache" });
    if (!answer.ok) throw new Error(answer.statusText);
    const fresh = document.createElement("template");
    fresh.innerHTML = await answer.text();
    place.replaceChildren(fresh.content);
  } catch {
    place.remove(); // the page says all the rest
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-device-action]");
  if (!button) return;
  const { device, deviceAction: action, impairment } = button.dataset;
  const why = await askReason(action, device);
  if (why === null) return;
  const body = impairment ? { why, impairment } : { why };
  if (!(await send(`/api/v1/devices/${encodeURIComponent(device)}/${action}`, body, device, button))) return;
  if (!document.body.classList.contains("room")) location.reload();
});
