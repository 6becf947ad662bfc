// Nothing moves under a pressed finger: what would be shown while a pointer is down waits until its click is told.
// A click goes to what was under both press and release; had the page moved between the two, it would be lost.

const LONGEST_MS = 3000;
const waiting = new Set();
let pressedAt = null;

/** Call `show` now, or once after the click that a pressed pointer is about to make. */
export function unlessPressed(show) {
  if (pressedAt === null || performance.now() - pressedAt > LONGEST_MS) show();
  else waiting.add(show);
}

function released() {
  pressedAt = null;
  const due = [...waiting];
  waiting.clear();
  due.forEach((show) => show());
}

// The click comes in the same turn as the release, before any timer's.
const release = () => setTimeout(released);

addEventListener("pointerdown", () => (pressedAt = performance.now()), true);
addEventListener("pointerup", release, true);
addEventListener("pointercancel", release, true);
addEventListener("blur", release);
