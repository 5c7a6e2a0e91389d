// The guard's phone page: records first, onto the phone's disk; shows second; hands in third.
import * as scan from "./phone_scan.js";
import * as show from "./phone_show.js";
import * as store from "./phone_store.js";
import { Sync } from "./phone_sync.js";

const { t, node } = show;
const HOLD_MS = 2000;
const PLAN_EVERY_MS = 30000;
const $ = (id) => document.getElementById(id);

const sync = new Sync();
let plan = null;
let planAt = null;
let learned = {};
let kept = [];
let photos = [];
let done = [];
let broken = false;
let fading;
const shown = new Map();
const chosen = new Map();

async function ready() {
  if (document.prerendering) await new Promise((go) => document.addEventListener("prerenderingchange", go, { once: true }));
  try {
    await store.open();
  } catch {
    broken = true;
  }
  wire();
  if (broken) {
    $("broken").hidden = false;
    return;
  }
  await sync.start();
  learned = (await store.read("learned")) ?? {};
  await loadPlan();
  void navigator.storage?.persist?.();
  sync.addEventListener("change", () => void refresh());
  sync.addEventListener("taken", (event) => void received(event.detail));
  await refresh();
  await arrived();
  sync.soon(0);
  void fetchPlan(); // the one that is shown may be old, or of whoever had the phone before
  worker();
  setInterval(tick, 1000);
  setInterval(() => void fetchPlan(), PLAN_EVERY_MS);
  document.addEventListener("visibilitychange", () => document.hidden || void fetchPlan());
  document.body.dataset.ready = "";
}

function worker() {
  navigator.serviceWorker?.register("/phone-sw.js", { scope: "/" }).catch(() => {});
}

// The page was opened by a tag on the wall: that is the tap. The address is left at once, so that loading again is none.
async function arrived() {
  if (!location.pathname.startsWith(scan.TAG_PATH)) return;
  const record = scan.linkRecord(location.href);
  const known = navigator.serviceWorker?.controller ? sync.current !== null || (await sync.begin()) : (await sync.begin()) || (sync.state === "offline" && sync.current !== null);
  if (!known) {
    flash("bad", t("tap.nobody"));
    return;
  }
  await tapped(record);
  history.replaceState(null, "", "/phone");
}

async function tapped(record) {
  if (!sync.current) {
    flash("bad", t("tap.nobody"));
    return;
  }
  try {
    const one = await store.keep(sync.current.device, record);
    const name = nameOf(one);
    navigator.vibrate?.(80);
    flash("kept", t("tap.kept", { name: name ?? t("tag_unknown"), at: show.time(one.at + sync.offset) }));
  } catch {
    navigator.vibrate?.([300, 100, 300]);
    flash("bad", t("tap.failed"));
    return;
  }
  await refresh();
  sync.soon(0);
}

async function received({ records, taps, unread }) {
  const by = new Map(taps.map((tap) => [tap.seq, tap]));
  let news = false;
  for (const record of records) {
    const tap = by.get(record.seq);
    const key = record.kind === "tap" || record.kind === "link" ? scan.tagKey(record) : null;
    if (tap?.checkpoint && key && learned[key] !== tap.checkpoint) {
      learned[key] = tap.checkpoint;
      news = true;
    }
    if (record.device !== sync.current?.device) continue;
    if (tap) {
      navigator.vibrate?.(tap.checkpoint ? [60, 60, 60] : 300);
      const values = { name: tap.name ?? t("tag_unknown"), at: show.time(record.at + sync.offset) };
      flash(tap.checkpoint ? "good" : "bad", t(tap.checkpoint ? "tap.received" : "tap.unknown", values));
    } else if (record.kind === "link" || record.kind === "tap") flash("bad", t("tap.unread"));
    else if (record.kind === "incident") flash("good", t("incident.received"));
  }
  if (unread && !records.length) flash("bad", t("tap.unread"));
  if (news) await store.write("learned", learned);
  await refresh();
  if (records.length || plan === null) await fetchPlan();
  const last = records.findLast((record) => record.device === sync.current?.device && by.get(record.seq)?.checkpoint);
  const why = last && plan?.unserved.find((tap) => [last.at, last.at + sync.offset].some((at) => Math.abs(tap.at - at) < 3000));
  if (why) flash("kept", `✓ ${t("tap.received_only", { name: why.name, at: show.time(why.at) })} ${show.reasonOf(why)}`);
}

function checkpointOf(record) {
  const key = record.kind === "link" || record.kind === "tap" ? scan.tagKey(record) : null;
  if (key === null && record.kind !== "link") return null;
  const code = plan?.codes[scan.codeOf(record)];
  if (code) return code;
  if (key && learned[key]) return learned[key];
  const hint = record.kind === "link" ? scan.hintOf(record) : null;
  return hint && plan && hint in plan.checkpoints ? hint : null;
}

function nameOf(record) {
  const checkpoint = checkpointOf(record);
  return checkpoint === null ? null : (plan?.checkpoints[checkpoint] ?? checkpoint);
}

// The plan: the last one known is shown at once, with its age.
async function loadPlan() {
  const known = sync.current ? await store.read(`plan:${sync.current.device}`) : null;
  plan = known?.plan ?? null;
  planAt = known?.at ?? null;
}

async function fetchPlan() {
  if (!sync.current || broken) return;
  try {
    const answer = await fetch("/api/v1/phone/plan", { cache: "no-cache", signal: AbortSignal.timeout(15000) });
    if (!answer.ok) return;
    const found = await answer.json();
    if (found.person !== sync.current?.person) {
      await sync.begin();
      return;
    }
    plan = found;
    planAt = Date.now();
    await store.write(`plan:${sync.current.device}`, { plan, at: planAt });
  } catch {
    return;
  }
  render();
}

async function refresh() {
  const before = plan;
  ({ kept, photos, done } = await store.everything());
  if (plan === null || plan.person !== sync.current?.person) await loadPlan();
  if (before === null && plan === null && sync.state === "received") void fetchPlan();
  render();
}

function own(records) {
  return records
    .filter((record) => record.device === sync.current?.device)
    .map((record) => ({ ...record, checkpoint: checkpointOf(record), name: record.name ?? nameOf(record) }));
}

// Only what changed is made anew, so that nothing moves under a finger; the time left ticks in its place.
function render() {
  const mine = own(kept);
  renderSync(mine, kept.length - mine.length);
  const now = sync.now();
  const rounds = plan?.rounds ?? [];
  const keptOf = show.matchKept(rounds, mine, sync.offset);
  const next = show.nextPoint(rounds, keptOf, now);
  $("who").textContent = sync.current?.name ?? "";
  made("next", [plan === null, next?.visit, next?.state, show.hurry(next, now)], () => (plan === null ? [node("p", { class: "calm" }, t("no_plan"))] : [show.nextCard(next, now)]));
  const left = $("next").querySelector(".left-words");
  if (left) left.textContent = show.leftWords(next, now);
  const states = rounds.map((round) => [show.isCurrent(round, now), round.visits.map((visit) => show.stateOf(visit, keptOf.get(`${round.id}#${visit.position}`), now))]);
  made("rounds", [rounds, states, [...keptOf], next?.round.id, next?.visit.position], () => {
    if (plan !== null && rounds.length === 0) return [node("p", { class: "calm" }, t("no_rounds"))];
    return rounds.map((round, index) => {
      const box = show.roundList(round, keptOf, now, next, index === 0);
      box.open = chosen.get(round.id) ?? box.open;
      box.querySelector("summary").addEventListener("click", () => chosen.set(round.id, !box.open));
      return box;
    });
  });
  $("plan-age").textContent = planAt !== null && Date.now() - planAt > 3 * PLAN_EVERY_MS ? t("plan_age", { at: show.time(planAt + sync.offset) }) : "";
  $("kept-box").hidden = mine.length === 0;
  made("kept", mine, () => show.keptList(mine, sync.offset));
  const unserved = plan?.unserved ?? [];
  $("unserved-box").hidden = unserved.length === 0;
  made("unserved", unserved, () => show.unservedList(unserved));
  const lately = own(done).slice(-12).reverse();
  $("done-box").hidden = lately.length === 0;
  made("done", lately, () => show.doneList(lately, sync.offset));
  const off = Math.abs(sync.offset) >= 60000;
  $("clock-off").hidden = !off;
  $("clock-off").textContent = off ? t("clock_off", { by: show.length(Math.abs(sync.offset)) }) : "";
}

function made(id, of, build) {
  const sign = JSON.stringify(of);
  if (shown.get(id) === sign) return;
  shown.set(id, sign);
  $(id).replaceChildren(...build());
}

function renderSync(mine, others) {
  const bar = $("sync");
  const pictures = photos.length;
  let [kind, sign, words] = ["good", "✓", t("sync.all", { at: sync.received ? show.time(sync.received + sync.offset) : "–" })];
  const since = show.time(sync.since + sync.offset);
  if (sync.state === "trying") [kind, sign, words] = ["kept", "⟳", mine.length ? t("sync.sending", { count: mine.length }) : t("sync.trying")];
  if (sync.state === "offline")
    [kind, sign, words] = mine.length ? ["kept", "⟳", t("sync.kept_offline", { count: mine.length, since })] : ["kept", "⟳", t("sync.offline", { since })];
  if (sync.state === "login") [kind, sign, words] = ["bad", "!", mine.length ? t("sync.login_kept", { count: mine.length }) : t("sync.login")];
  if (sync.state === "nobody") [kind, sign, words] = ["bad", "!", t("sync.nobody")];
  if (sync.state === "role") [kind, sign, words] = ["bad", "!", t("sync.role")];
  if (sync.state === "trouble") [kind, sign, words] = ["bad", "!", t("sync.trouble", { count: mine.length })];
  if (sync.state === "received" && mine.length) [kind, sign, words] = ["kept", "⟳", t("sync.sending", { count: mine.length })];
  if (sync.state === "received" && !mine.length && pictures) [kind, sign, words] = ["kept", "⟳", t("sync.pictures", { count: pictures })];
  if (mine.some((record) => record.kind === "panic" && record.active)) [kind, sign, words] = ["bad", "!", t("sync.panic")];
  bar.className = `sync ${kind}`;
  bar.dataset.state = sync.state;
  bar.dataset.kept = mine.length;
  if ($("sync-words").textContent !== words) $("sync-words").textContent = words;
  $("sync-sign").textContent = sign;
  $("enter").hidden = sync.state !== "login";
  $("others").hidden = others === 0;
  $("others").textContent = t("sync.others", { count: others });
}

function tick() {
  if (!document.hidden) render();
}

function flash(kind, words) {
  const box = $("flash");
  box.className = `flash ${kind}`;
  box.textContent = words;
  box.hidden = false;
  clearTimeout(fading);
  fading = setTimeout(
    () => {
      box.hidden = true;
    },
    kind === "bad" ? 15000 : 7000,
  );
}

function wire() {
  for (const words of document.querySelectorAll("[data-again]")) words.addEventListener("click", () => location.reload());
  void wireScan();
  wireIncident();
  wirePanic();
  $("leave").addEventListener("submit", (event) => {
    if (kept.length + photos.length > 0 && !confirm(t("leave_kept", { count: kept.length + photos.length }))) event.preventDefault();
  });
}

async function wireScan() {
  let listening = null;
  const nfc = $("nfc");
  nfc.hidden = !scan.canNfc();
  nfc.addEventListener("click", async () => {
    if (listening) return;
    listening = new AbortController();
    try {
      await scan.listenNfc(listening.signal, (record) => void tapped(record));
      nfc.textContent = t("nfc.on");
      nfc.setAttribute("aria-pressed", "true");
    } catch {
      listening = null;
      flash("bad", t("nfc.failed"));
    }
  });
  const button = $("qr");
  button.hidden = !(await scan.canQr());
  const dialog = $("qr-dialog");
  button.addEventListener("click", async () => {
    const looking = new AbortController();
    dialog.addEventListener("close", () => looking.abort(), { once: true });
    dialog.showModal();
    try {
      const record = await scan.lookForQr($("qr-video"), looking.signal);
      dialog.close();
      if (record) await tapped(record);
    } catch {
      dialog.close();
      flash("bad", t("qr.failed"));
    }
  });
}

function wireIncident() {
  const dialog = $("incident-dialog");
  const form = $("incident-form");
  let picture = null;
  $("incident").addEventListener("click", () => {
    const where = form.elements.checkpoint;
    where.replaceChildren(
      node("option", { value: "" }, t("incident.no_place")),
      ...Object.entries(plan?.checkpoints ?? {}).map(([id, name]) => node("option", { value: id }, name)),
    );
    const last = own([...done, ...kept]).findLast((record) => record.checkpoint);
    if (last && Date.now() - last.at < 15 * 60 * 1000) where.value = last.checkpoint;
    dialog.showModal();
  });
  form.elements.picture.addEventListener("change", async () => {
    const [file] = form.elements.picture.files;
    picture = null;
    $("picture-shown").replaceChildren();
    if (!file) return;
    try {
      const small = await scan.smallPicture(file);
      picture = small.data;
      small.canvas.setAttribute("role", "img");
      small.canvas.setAttribute("aria-label", t("incident.picture"));
      $("picture-shown").replaceChildren(small.canvas);
    } catch {
      $("picture-shown").replaceChildren(node("p", { class: "bad" }, t("incident.no_picture")));
    }
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!sync.current) {
      flash("bad", t("tap.nobody"));
      dialog.close();
      return;
    }
    const code = form.elements.code.value;
    const words = form.elements.words.value.trim();
    const record = { kind: "incident", code, text: [t(`incident.code.${code}`), words].filter(Boolean).join(": ").slice(0, 500) };
    if (form.elements.checkpoint.value) record.checkpoint = form.elements.checkpoint.value;
    if (picture) record.photo = true;
    try {
      await store.keep(sync.current.device, record, picture);
    } catch {
      flash("bad", t("tap.failed"));
      return;
    }
    picture = null;
    form.reset();
    $("picture-shown").replaceChildren();
    dialog.close();
    flash("kept", t("incident.kept"));
    await refresh();
    sync.soon(0);
  });
  for (const button of document.querySelectorAll("[data-close]")) button.addEventListener("click", () => button.closest("dialog").close());
}

function wirePanic() {
  const button = $("panic");
  const dialog = $("panic-dialog");
  let holding = null;
  const begin = (event) => {
    if (holding || (event.type === "keydown" && event.key !== " " && event.key !== "Enter")) return;
    if (event.repeat) return;
    event.preventDefault();
    button.classList.add("holding");
    navigator.vibrate?.(40);
    holding = setTimeout(() => {
      end();
      void call();
    }, HOLD_MS);
  };
  const end = () => {
    clearTimeout(holding);
    holding = null;
    button.classList.remove("holding");
  };
  button.addEventListener("pointerdown", begin);
  button.addEventListener("keydown", begin);
  for (const name of ["pointerup", "pointercancel", "pointerleave", "keyup", "blur"]) button.addEventListener(name, end);
  button.addEventListener("contextmenu", (event) => event.preventDefault());

  async function call() {
    navigator.vibrate?.([200, 80, 200, 80, 400]);
    const say = (kind, words) => {
      $("panic-box").className = `panic-box ${kind}`;
      $("panic-words").textContent = words;
    };
    dialog.showModal();
    $("panic-over").hidden = true;
    if (!sync.current) {
      say("bad", t("panic.nobody"));
      return;
    }
    say("bad", t("panic.sending"));
    try {
      const record = await sync.call(true, (sent) => say("bad", t("panic.not_yet", { at: show.time(sent.at + sync.offset) })));
      say("good", t("panic.received", { at: show.time((sync.received ?? record.at) + sync.offset) }));
      navigator.vibrate?.([60, 60, 60]);
      $("panic-over").hidden = false;
    } catch {
      say("bad", t("panic.failed"));
    }
    await refresh();
  }

  $("panic-over").addEventListener("click", async () => {
    dialog.close();
    await sync.call(false, () => {}).catch(() => {});
    flash("good", t("panic.over_received"));
    await refresh();
  });
}

await ready();
