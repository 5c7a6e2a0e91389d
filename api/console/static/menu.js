// A menu of the bar closes on Escape, and when something else is clicked or gets the focus.

const opened = () => document.querySelector("details.menu[open]");

document.addEventListener(
  "keydown",
  (event) => {
    const menu = opened();
    if (event.key !== "Escape" || !menu) return;
    event.stopPropagation();
    menu.open = false;
    menu.querySelector("summary").focus();
  },
  { capture: true },
);

for (const kind of ["pointerdown", "focusin"]) {
  document.addEventListener(kind, (event) => {
    const menu = opened();
    if (menu && !menu.contains(event.target)) menu.open = false;
  });
}
