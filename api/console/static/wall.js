// Wall mode: the screen stays awake, where the browser lets a page do that, and the page says whether it does.

const word = document.getElementById("awake");

/** Begin, if the page is in wall mode. */
export function startWall() {
  if (!document.body.classList.contains("wall")) return;
  keepAwake();
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && keepAwake());
}

async function keepAwake() {
  try {
    const lock = await navigator.wakeLock.request("screen");
    lock.addEventListener("release", () => show(false));
    show(true);
  } catch {
    show(false); // not over plain HTTP, not in every browser, not on an empty battery
  }
}

function show(awake) {
  for (const each of word.querySelectorAll("[data-awake]")) each.hidden = each.dataset.awake !== String(awake);
}
