// Lays the map's tiles out so that all fit where they can, floors with trouble larger; else they come page by page.

import { whenLoaded } from "/static/sections.js";

const LEAST = 12; // rem a small tile is wide
const ROW = 1.6; // rem a row of a diagram is high
const HEAD = 2.2;
const DRAWING = 6.5; // rem a plan is high
const MOST_COLUMNS = 12;
const TURN_MS = 15000;

const wall = document.body.classList.contains("wall");
const still = matchMedia("(prefers-reduced-motion: reduce)");
let building = "";
let page = 0;
let pages = [];
let paused = false;
let turning = 0;

/** Wire the map. */
export function startMap() {
  const section = document.getElementById("plan");
  if (!section) return;
  whenLoaded("plan", layOut);
  new ResizeObserver(layOut).observe(section);
  section.addEventListener("click", (event) => {
    const choice = event.target.closest("button[data-building]");
    if (choice) {
      building = choice.dataset.building;
      page = 0;
      layOut();
    }
    const step = event.target.closest("[data-map-page]");
    if (step) turn(Number(step.dataset.mapPage));
    if (event.target.closest("[data-map-pause]")) togglePause();
  });
  still.addEventListener("change", keepTurning);
  layOut();
}

/** Stop the pages from turning, or let them turn again. */
export function togglePause() {
  paused = !paused;
  layOut();
}

function turn(step) {
  if (pages.length < 2) return;
  page = (page + step + pages.length) % pages.length;
  layOut();
}

function keepTurning() {
  clearInterval(turning);
  turning = 0;
  if (wall && !paused && !still.matches && pages.length > 1) turning = setInterval(() => turn(1), TURN_MS);
}

function layOut() {
  const map = document.querySelector("[data-map]");
  if (!map) return;
  const all = [...map.querySelectorAll(".floor-tile")];
  for (const button of document.querySelectorAll("button[data-building]")) {
    button.setAttribute("aria-pressed", String(button.dataset.building === building));
  }
  const chosen = all.filter((tile) => !building || tile.dataset.building === building);
  const narrow = matchMedia("(max-width: 1100px)").matches && !wall;
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  map.style.setProperty("--scale", rem / 14.5);
  const width = map.clientWidth - rem;
  const height = map.clientHeight - rem;
  let plan = null;
  if (narrow) {
    pages = [chosen];
  } else {
    pages = [];
    let rest = chosen;
    while (rest.length) {
      let count = rest.length;
      plan = fit(rest, width / rem, height / rem);
      while (count > 1 && !plan.fits && wall) plan = fit(rest.slice(0, --count), width / rem, height / rem);
      pages.push(rest.slice(0, count));
      rest = rest.slice(count);
    }
  }
  page = Math.min(page, Math.max(pages.length - 1, 0));
  const shown = pages[page] ?? [];
  for (const tile of all) tile.hidden = !shown.includes(tile);
  if (!narrow) {
    plan = fit(shown, width / rem, height / rem);
    map.style.setProperty("--columns", plan.columns);
    if (plan.fits || wall) map.style.setProperty("--row", `minmax(0, ${(height + 0.5 * rem) / plan.rows - 0.5 * rem}px)`);
    else map.style.setProperty("--row", `${highest(shown, plan.weights)}rem`);
  }
  for (const tile of shown) tile.classList.toggle("wide", !narrow && plan.weights.get(tile) > 1);
  const turner = document.querySelector(".map-pages");
  if (turner) {
    turner.hidden = pages.length < 2;
    turner.querySelector("[data-map-at]").textContent = `${page + 1}/${pages.length}`;
    turner.querySelector("[data-map-pause]").hidden = !wall || still.matches;
    turner.querySelector("[data-map-pause]").setAttribute("aria-pressed", String(paused));
  }
  for (const drawing of map.querySelectorAll(".map-plan")) {
    const box = drawing.viewBox.baseVal;
    const scale = Math.min(drawing.clientWidth / box.width, drawing.clientHeight / box.height);
    if (scale > 0) drawing.style.setProperty("--unit", 1 / scale);
    nameWhatHasRoom(drawing);
  }
  keepTurning();
}

// A name stands in its outline only where it is not much wider than it; its sign stands there always.
function nameWhatHasRoom(drawing) {
  for (const label of drawing.querySelectorAll(".patch-label")) {
    const outline = drawing.querySelector(`[data-key="patch ${CSS.escape(label.dataset.of)}"] polygon`);
    const name = label.querySelector(".patch-name");
    const room = outline?.getBoundingClientRect().width ?? Infinity;
    name.classList.toggle("cramped", name.getBoundingClientRect().width > room * 1.25);
  }
}

// How many columns give the largest tiles: those with trouble take two by two, if some have none.
function fit(tiles, width, height) {
  const troubled = tiles.filter((tile) => tile.classList.contains("trouble"));
  const mixed = troubled.length > 0 && troubled.length < tiles.length;
  let best = null;
  for (const large of mixed ? [2, 1] : [1]) {
    const weights = new Map(tiles.map((tile) => [tile, mixed && troubled.includes(tile) ? large : 1]));
    for (let columns = 1; columns <= MOST_COLUMNS; columns++) {
      if (large > columns) continue;
      const rows = pack(tiles, weights, columns);
      const across = width / columns / LEAST;
      const down = height / rows / highest(tiles, weights);
      const filled = tiles.reduce((sum, tile) => sum + weights.get(tile) ** 2, 0) / (columns * rows);
      const fits = across >= 0.95 && down >= 0.85; // a little closer is better than scrolling
      const good = Math.min(across, down * 1.1) * (0.6 + 0.4 * filled) * (large === 2 ? 1.35 : 1);
      const better = !best || (fits && !best.fits) || (fits === best.fits && good > best.good);
      if (better) best = { columns, rows, weights, fits, good };
    }
  }
  return best ?? { columns: 1, rows: 1, weights: new Map(), fits: true, good: 0 };
}

// Rem that a row of the grid must be high, so that the fullest tile is legible.
function highest(tiles, weights) {
  const needed = tiles.map((tile) => {
    const inside = tile.classList.contains("is-plan") ? DRAWING : Number(tile.dataset.rows) * ROW;
    return (inside + HEAD) / weights.get(tile);
  });
  return Math.max(5, ...needed);
}

// Rows that a dense grid needs.
function pack(tiles, weights, columns) {
  const taken = new Set();
  let rows = 0;
  for (const tile of tiles) {
    const size = weights.get(tile);
    for (let at = 0; ; at++) {
      const [row, column] = [Math.floor(at / columns), at % columns];
      if (column + size > columns) continue;
      const cells = [];
      for (let y = 0; y < size; y++) for (let x = 0; x < size; x++) cells.push((row + y) * columns + column + x);
      if (cells.some((cell) => taken.has(cell))) continue;
      for (const cell of cells) taken.add(cell);
      rows = Math.max(rows, row + size);
      break;
    }
  }
  return rows;
}
