// Two tones for a new critical alert. Browsers want a gesture before they make a sound; until then the button says so.

const button = document.getElementById("sound");
let wanted = false;
let context = null;

try {
  wanted = localStorage.getItem("sound") === "on";
} catch {
  // without storage the choice lasts as long as the page
}

/** Wire the button. */
export function startSound() {
  button.addEventListener("click", toggleSound);
  for (const kind of ["pointerdown", "keydown"]) {
    addEventListener(kind, () => wanted && wake(), { capture: true });
  }
  if (wanted) wake(); // a wall's browser may be told to let pages sound without a gesture
  show();
}

/** On or off. */
export async function toggleSound() {
  wanted = !wanted;
  try {
    localStorage.setItem("sound", wanted ? "on" : "off");
  } catch {
    // see above
  }
  if (wanted) {
    await wake();
    ring(0.4);
  }
  show();
}

/** Ring, if it is switched on. */
export function ring(loud = 1) {
  if (!wanted || context?.state !== "running") return;
  const start = context.currentTime;
  [880, 660, 880, 660].forEach((frequency, number) => {
    const tone = context.createOscillator();
    const volume = context.createGain();
    const at = start + number * 0.22;
    tone.frequency.value = frequency;
    tone.type = "triangle";
    volume.gain.setValueAtTime(0, at);
    volume.gain.linearRampToValueAtTime(0.35 * loud, at + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.001, at + 0.2);
    tone.connect(volume).connect(context.destination);
    tone.start(at);
    tone.stop(at + 0.21);
  });
}

async function wake() {
  context ??= new AudioContext();
  if (context.state !== "running") await context.resume();
  show();
}

function show() {
  const state = !wanted ? "off" : context?.state === "running" ? "on" : "waiting";
  button.setAttribute("aria-pressed", String(wanted));
  for (const word of button.querySelectorAll("[data-sound]")) word.hidden = word.dataset.sound !== state;
}
