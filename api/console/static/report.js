// The report's print button. Without a script the browser's own print does the same.
document.getElementById("print")?.addEventListener("click", () => window.print());
