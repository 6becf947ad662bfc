// The newest board and how sure it is that it is the newest: pushed by the engine, asked for where it is not.
import { read, Refusal } from "./api.js";

const SILENCE_S = 20;
const ASK_EVERY_S = 5;
const LOOK_EVERY_MS = 1000;
const RENEW_WITHIN_S = [1, 2, 4, 8, 15];

/** What is known now. `contact` is starting, live, asking (no stream there) or lost. */
export const now = {
  board: null,
  receivedAt: 0,
  contact: "starting",
  why: "",
  lostAt: null,
};
const listeners = new Set();
let source = null;
let timer = null;
let tries = 0;
let newest = null;

/** Call `listener` after every change of the board or of the contact. */
export function subscribe(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Milliseconds of the engine's clock, as they go on since its last word. */
export function engineNow() {
  if (now.board === null) return Date.now();
  return Date.parse(now.board.as_of) + (performance.now() - now.receivedAt) * now.board.engine.speed;
}

/** Real seconds since the last board. */
export const silentForS = () => (now.board === null ? 0 : (performance.now() - now.receivedAt) / 1000);

/** Ask once and listen. */
export function start() {
  setInterval(watch, 1000);
  listen();
  return ask();
}

/** Ask for the board at once; whether it came. */
export async function ask() {
  try {
    take(await read("dashboard"));
    return true;
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    lose(refusal.message);
    return false;
  }
}

function take(board) {
  Object.assign(now, { board, receivedAt: performance.now(), lostAt: null });
  if (source?.readyState === EventSource.OPEN) now.contact = "live";
  tell();
}

function lose(why) {
  if (now.contact !== "lost") Object.assign(now, { contact: "lost", lostAt: performance.now() });
  now.why = why;
  tell();
}

const tell = () => listeners.forEach((listener) => listener(now));

function listen() {
  clearTimeout(timer);
  source?.close();
  source = new EventSource("/api/v1/stream");
  for (const kind of ["message", "board", "dashboard", "snapshot"]) source.addEventListener(kind, heard);
  source.addEventListener("open", () => {
    tries = 0;
    now.contact = "live";
    tell();
  });
  source.addEventListener("error", renew);
}

// The engine may speak many times a second; the page looks once a second.
function heard(event) {
  const waiting = newest !== null;
  newest = event.data;
  const rest = now.board === null ? 0 : LOOK_EVERY_MS - (performance.now() - now.receivedAt);
  if (!waiting) setTimeout(digest, Math.max(0, rest));
}

function digest() {
  const text = newest;
  newest = null;
  const said = JSON.parse(text);
  if (Array.isArray(said.nodes) && said.as_of) take(said);
}

// An EventSource does not say why it failed, so the board is asked for: no stream there, no token, or no engine.
// Where only the stream is missing the page goes on asking, and tries the stream again now and then.
async function renew() {
  source?.close();
  source = null;
  clearTimeout(timer);
  const wasLost = now.contact === "lost";
  tries += 1;
  if (!(await ask())) {
    timer = setTimeout(renew, RENEW_WITHIN_S[Math.min(tries, RENEW_WITHIN_S.length) - 1] * 1000);
    return;
  }
  if (wasLost) tries = 1;
  now.contact = "asking";
  tell();
  const streamNext = tries < 3 || tries % 6 === 0;
  timer = setTimeout(streamNext ? listen : renew, (tries < 3 ? 1 : ASK_EVERY_S) * 1000);
}

function watch() {
  if (now.contact === "live" && silentForS() > SILENCE_S) {
    lose(`orch has said nothing for ${SILENCE_S} s.`);
    renew();
  } else tell();
}
