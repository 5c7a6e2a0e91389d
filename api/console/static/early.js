// A button pressed before the page's scripts run is pressed again once they do: modules have all run when the document is ready.
// No module itself, so that it runs first.

{
  let pressed = null;
  const hold = (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    pressed = button;
  };
  document.addEventListener("click", hold, { capture: true });
  document.addEventListener(
    "DOMContentLoaded",
    () => {
      document.removeEventListener("click", hold, { capture: true });
      pressed?.click();
    },
    { once: true },
  );
}
