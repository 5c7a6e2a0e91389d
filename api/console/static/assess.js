// Duty checks and scores: forms that speak to the API; a picture is made small enough and sent before its finding.

import { say } from "/static/actions.js";

const failed = document.getElementById("texts").dataset.failed;
const MOST = 480 * 1024;

for (const bar of document.querySelectorAll("[data-share]")) bar.style.setProperty("--share", `${bar.dataset.share}%`);

// What an address points at is shown, though it may be folded away.
if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.classList.add("is-meant");

/** A picture of at most MOST bytes: as it is, or drawn again smaller. */
async function small(file) {
  if (file.size <= MOST) return file;
  const picture = await createImageBitmap(file);
  for (let side = 1600; side >= 400; side *= 0.7) {
    const scale = Math.min(1, side / Math.max(picture.width, picture.height));
    const canvas = new OffscreenCanvas(Math.round(picture.width * scale), Math.round(picture.height * scale));
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.75 });
    if (blob.size <= MOST) return blob;
  }
  return file;
}

async function post(path, body, type) {
  const answer = await fetch(path, { method: "POST", headers: { "content-type": type }, body });
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.says);
  return said;
}

async function body(form) {
  const said = {};
  for (const [name, value] of new FormData(form)) {
    const field = form.elements.namedItem(name); // a field may be called `item`
    if (field.type === "file") {
      if (value.size) said[name] = (await post("/api/v1/duty-checks/photos", await small(value), "application/octet-stream")).id;
    } else if (value !== "" || field.required) {
      said[name] = "number" in field.dataset ? Number(value) : value;
    }
  }
  return JSON.stringify(said);
}

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form[data-assess]");
  if (!form) return;
  event.preventDefault();
  const complaint = form.querySelector(".error");
  const button = form.querySelector("button");
  complaint.hidden = true;
  button.disabled = true;
  try {
    await post(form.dataset.assess, await body(form), "application/json");
    location.reload();
  } catch (error) {
    complaint.textContent = failed + error.message;
    complaint.hidden = false;
    say(failed + error.message, true);
    button.disabled = false;
  }
});
