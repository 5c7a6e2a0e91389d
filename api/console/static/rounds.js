// Rounds: a page for paper, with everything unfolded.

document.querySelector("[data-print]")?.addEventListener("click", () => {
  for (const details of document.querySelectorAll(".round-page details:not(.no-print)")) details.open = true;
  print();
});
