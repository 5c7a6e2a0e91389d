// Duty checks and scores: how long a bar is, and what the address points at.

for (const bar of document.querySelectorAll("[data-share]")) bar.style.setProperty("--share", `${bar.dataset.share}%`);

// What an address points at is shown, though it may be folded away.
if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.classList.add("is-meant");
