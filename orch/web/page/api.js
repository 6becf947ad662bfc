// Questions and orders to the engine that served this page. Nothing here ever asks another host.

/** What the engine refused, with its own words; `status` 0 when it could not be reached at all. */
export class Refusal extends Error {
  constructor(status, code, message, details = {}) {
    super(message);
    Object.assign(this, { status, code, details });
  }

  /** Whether it may be otherwise a moment later: nobody there, too busy, or failed. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }

  /** Whether the engine has no such route: an older one, or a part that is switched off. */
  get missing() {
    return this.status === 404 && this.message === "Not Found";
  }
}

let askForToken = async () => false;

/** Say who asks the reader for the token; `ask` resolves to whether the engine took it. */
export const onTokenNeeded = (ask) => (askForToken = ask);

async function call(method, path, { params, body, again = true } = {}) {
  const url = new URL(`/api/v1/${path}`, location.origin);
  for (const [name, value] of Object.entries(params ?? {}))
    if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, value);
  const request = { method, credentials: "same-origin", headers: { Accept: "application/json" } };
  if (method !== "GET") {
    request.headers["Content-Type"] = "application/json";
    request.body = JSON.stringify(body ?? {});
  }
  let response;
  try {
    response = await fetch(url, request);
  } catch {
    throw new Refusal(0, "unreachable", "orch cannot be reached now.");
  }
  if (response.status === 401 && again && (await askForToken()))
    return call(method, path, { params, body, again: false });
  const answer = await response.json().catch(() => null);
  if (response.ok) return answer;
  const { code = "refused", message = response.statusText, details = {} } = answer?.error ?? {};
  throw new Refusal(response.status, code, message, details);
}

/** GET: the decoded answer. Throws Refusal. */
export const read = (path, params) => call("GET", path, { params });

/** POST: the decoded answer. Throws Refusal; asks for the token where it is needed. */
export const order = (path, body) => call("POST", path, { body });

/** Exchange the token for a cookie that scripts cannot read. Throws Refusal. */
export const login = (token) => call("POST", "login", { body: { token }, again: false });
