// What the page shows: made of the plan, what is kept, and what was received. Texts come from the shell.

const texts = JSON.parse(document.querySelector('meta[name="phone-texts"]').content);
const zone = document.body.dataset.zone;
const language = document.documentElement.lang;
const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: zone });

export function t(key, values = {}) {
  const text = texts[`phone.${key}`] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

export function has(key) {
  return `phone.${key}` in texts;
}

export function time(ms) {
  return clock.format(new Date(ms));
}

export function node(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "class") made.className = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// A length of time in words: 1 h 05 min, 12 min 30 s, 45 s.
export function length(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60), seconds % 60];
  if (hours) return t("hours", { hours, minutes: String(minutes).padStart(2, "0") });
  if (minutes) return t("minutes", { minutes, seconds: String(rest).padStart(2, "0") });
  return t("seconds", { seconds: rest });
}

const DONE = new Set(["on_time", "early", "late"]);
export const SIGNS = { received: "✓", kept: "⟳", open: "●", soon: "○", waiting: "…", late: "▲", missed: "✕", unknown: "?", skipped: "–" };

// What a point of a round is to the guard now. `keptAt`: when it was tapped, if the phone still keeps the tap.
export function stateOf(visit, keptAt, now) {
  if (DONE.has(visit.verdict)) return "received";
  if (keptAt) return "kept";
  if (visit.verdict === "missed") return "missed";
  if (visit.verdict === "skipped") return "skipped";
  if (visit.verdict === "unverifiable") return "unknown";
  if (now < visit.opens) return "soon";
  if (now <= visit.closes) return visit.due !== null && now > visit.due ? "late" : "open";
  return "waiting";
}

// Which of the kept taps belongs to a point: one of its checkpoint inside its time, each used once.
export function matchKept(rounds, kept, offset) {
  const found = new Map();
  const used = new Set();
  for (const round of rounds) {
    for (const visit of round.visits) {
      const tap = kept.find(
        (each) => !used.has(each.seq) && each.checkpoint === visit.checkpoint && each.at + offset >= visit.opens && each.at + offset <= visit.closes,
      );
      if (tap && visit.verdict === "pending") {
        used.add(tap.seq);
        found.set(`${round.id}#${visit.position}`, tap.at + offset);
      }
    }
  }
  return found;
}

// The point to go to: the first in order still open whose time has come or comes next.
export function nextPoint(rounds, keptOf, now) {
  const open = [];
  for (const round of rounds) {
    for (const visit of round.visits) {
      const state = stateOf(visit, keptOf.get(`${round.id}#${visit.position}`), now);
      if (["open", "late", "soon"].includes(state) && !visit.optional) open.push({ round, visit, state });
    }
  }
  const due = ({ visit, round }) => visit.due ?? Math.max(round.start, visit.opens);
  const here = open.filter(({ state }) => state !== "soon");
  const pool = here.length ? here : open;
  pool.sort((one, other) => due(one) - due(other) || one.visit.position - other.visit.position);
  return pool[0] ?? null;
}

const HURRY_MS = 120000;

export function hurry(point, now) {
  return point !== null && point.state === "open" && point.visit.closes - now < HURRY_MS;
}

export function leftWords(point, now) {
  const { visit, state } = point;
  return t(`left.${state}`, { left: length((state === "soon" ? visit.opens : visit.closes) - now) });
}

export function nextCard(point, now) {
  if (point === null) return node("p", { class: "calm" }, t("nothing_next"));
  const { visit, state } = point;
  const [due, from, to] = [visit.due, visit.opens, visit.closes].map((at) => (at === null ? null : time(at)));
  return node(
    "div",
    { class: `next ${hurry(point, now) ? "hurry" : state}` },
    node("p", { class: "label" }, t("next")),
    node("p", { class: "place" }, visit.name),
    node("p", { class: "due" }, due === null ? t("within", { from, to }) : t("due", { at: due, from, to })),
    visit.tagged ? null : node("p", { class: "due" }, t("card")),
    node("p", { class: "left" }, node("span", { class: "sign", "aria-hidden": "true" }, SIGNS[state]), node("span", { class: "left-words", role: "timer" }, leftWords(point, now))),
  );
}

export function isCurrent(round, now) {
  return now >= Math.min(...round.visits.map((visit) => visit.opens)) && now <= Math.max(...round.visits.map((visit) => visit.closes));
}

export function roundList(round, keptOf, now, next, first) {
  const done = round.visits.filter((visit) => DONE.has(visit.verdict)).length;
  const current = isCurrent(round, now);
  const list = node(
    "ol",
    { class: "points" },
    ...round.visits.map((visit) => {
      const key = `${round.id}#${visit.position}`;
      const state = stateOf(visit, keptOf.get(key), now);
      const isNext = next && next.round.id === round.id && next.visit.position === visit.position;
      const said =
        state === "received"
          ? `${t(`verdict.${visit.verdict}`)} ${time(visit.at)}${visit.mine ? "" : ` · ${t("by_other")}`}`
          : state === "kept"
            ? `${t("state.kept")} ${time(keptOf.get(key))}`
            : t(`state.${state}`);
      return node(
        "li",
        { class: `point ${state}${isNext ? " is-next" : ""}`, "aria-current": isNext ? "step" : null },
        node("span", { class: "sign", "aria-hidden": "true" }, SIGNS[state]),
        node("span", { class: "name" }, visit.name, visit.optional ? node("small", {}, t("optional")) : null, visit.tagged ? null : node("small", {}, t("card_short"))),
        node("span", { class: "when" }, visit.due === null ? `${time(visit.opens)}–${time(visit.closes)}` : time(visit.due)),
        node("span", { class: "said" }, said),
      );
    }),
  );
  const title = node(
    "summary",
    {},
    node("span", { class: "round-name" }, t("round", { start: time(round.start), end: time(round.end) })),
    node("span", { class: "count" }, t("count", { done, all: round.visits.length })),
  );
  const box = node("details", { class: "round", "data-round": round.id }, title, list);
  box.open = current || first;
  return box;
}

export function unservedList(unserved) {
  return unserved.map((tap) =>
    node(
      "li",
      {},
      node("strong", {}, `${time(tap.at)} ${tap.name ?? t("tag_end", { tag: tap.tag })}`),
      node("span", {}, reasonOf(tap)),
    ),
  );
}

export function reasonOf(tap) {
  return has(`reason.${tap.reason}`) ? t(`reason.${tap.reason}`) : tap.reason;
}

export function keptList(kept, offset) {
  return kept.map((record) => node("li", {}, node("span", { class: "sign", "aria-hidden": "true" }, SIGNS.kept), `${time(record.at + offset)} ${whatOf(record)}`));
}

export function doneList(done, offset) {
  return done.map((record) => node("li", {}, node("span", { class: "sign", "aria-hidden": "true" }, "✓"), `${time(record.at + offset)} ${whatOf(record)}`));
}

export function whatOf(record) {
  if (record.kind === "incident") return `${t("incident.short")}: ${record.text ?? ""}`;
  if (record.kind === "panic") return record.active ? t("panic.short") : t("panic.over");
  const name = record.name ?? t("tag_unknown");
  return record.via === "qr" ? `${name} (${t("qr")})` : name;
}
