// The site's time, by the server's clock, and how long ago things were.

const texts = document.getElementById("texts").dataset;
const { zone, language } = document.body.dataset;
let ahead = 0; // server minus browser, in ms

const hms = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat(language, { timeZone: zone, month: "short", day: "numeric", weekday: "short" });

/** The server told its time. */
export function setClock(iso) {
  ahead = Date.parse(iso) - Date.now();
}

/** Now, by the server. */
export function now() {
  return new Date(Date.now() + ahead);
}

/** A time of day at the site. */
export function timeOfDay(date) {
  return hms.format(date);
}

/** How long ago, in words. */
export function age(iso) {
  const minutes = Math.floor((now() - Date.parse(iso)) / 60000);
  if (minutes < 1) return texts.now;
  const values = { m: minutes % 60, h: Math.floor(minutes / 60), d: Math.floor(minutes / 1440) };
  if (minutes < 60) return fill(texts.minutes, values);
  if (minutes < 1440) return fill(texts.hours, { ...values, m: String(values.m).padStart(2, "0") });
  return fill(texts.days, { ...values, h: values.h % 24 });
}

/** Write all ages in `root`. */
export function writeAges(root = document) {
  for (const element of root.querySelectorAll("[data-age]")) {
    const text = age(element.dateTime);
    if (element.textContent !== text) element.textContent = text;
  }
}

/** Keep the clock and the ages going. */
export function startClock() {
  const clock = document.getElementById("clock");
  const date = document.getElementById("date");
  const tick = () => {
    const at = now();
    if (clock) {
      clock.textContent = timeOfDay(at);
      date.textContent = day.format(at);
    }
    setTimeout(tick, 1000 - (at.getTime() % 1000));
  };
  if (clock) setClock(document.body.dataset.now);
  tick();
  writeAges();
  setInterval(writeAges, 10000);
}

/** The instant at which the clocks of the site show `local`, as RFC 3339. */
export function instantOf(local) {
  const wanted = Date.parse(`${local}Z`);
  let at = wanted;
  // Twice: the offset is asked for where it holds.
  for (let round = 0; round < 2; round++) at = wanted - (shown(at) - at);
  return new Date(at).toISOString();
}

function shown(at) {
  const parts = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "medium" });
  return Date.parse(`${parts.format(new Date(at)).replace(" ", "T")}Z`);
}

/** Fill `{name}` places of a text. */
export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}
