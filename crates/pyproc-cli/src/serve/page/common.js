// What both pages share: elements, the token, requests.

export const $ = (id) => document.getElementById(id);

/** Makes an element; text is always text, never markup. */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return element;
}

/**
 * Fills a table. A column is {name, n: number?}; a row is a list of cells, each text or an element, the
 * first of which names the row.
 */
export function fill(table, columns, rows, empty) {
  const head = el("tr", {}, columns.map((it) => el("th", { scope: "col", class: it.n && "n" }, it.name)));
  const body = rows.map((cells) => el("tr", {}, cells.map((cell, index) => {
    const attributes = { "data-label": columns[index].name, class: columns[index].n && "n" };
    return index === 0 ? el("th", { scope: "row" }, cell ?? "") : el("td", attributes, cell ?? "");
  })));
  const none = el("tr", {}, el("td", { colspan: columns.length, class: "faint" }, empty));
  table.replaceChildren(el("thead", {}, head), el("tbody", {}, body.length ? body : none));
}

const KEY = "pyproc-token";
let token = sessionStorage.getItem(KEY);

/** The gateway does not know the token, or there is none. */
export class NeedsToken extends Error {}

/** A request to this gateway, with the token. */
export async function request(path, options = {}) {
  const headers = { ...options.headers };
  // What no header can carry is no token either; `fetch` would fail as it does without a network.
  if (token && !/^[!-~]+$/.test(token)) throw new NeedsToken("a token has letters, digits and marks of ASCII alone");
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = await fetch(path, { cache: "no-store", ...options, headers });
  if (response.status === 401) {
    const problem = await response.json().catch(() => ({}));
    throw new NeedsToken(token ? problem.detail : "");
  }
  return response;
}

/** A document in JSON, or the sentence of the problem as an error. */
export async function json(path) {
  const response = await request(path);
  const document = await response.json();
  if (!response.ok) throw new Error(document.detail ?? response.statusText);
  return document;
}

/** Says something at the top; nothing is unsaid by the empty text. */
export function say(text, kind = "") {
  const message = $("message");
  if (message.textContent !== text) message.textContent = text;
  message.className = kind;
}

/** Asks for the token; `then` runs when there is one. */
export function askToken(error, then) {
  $("data").hidden = true;
  $("forget").hidden = true;
  $("token").hidden = false;
  say(error.message || "This gateway asks for a token.", error.message ? "bad" : "");
  $("token-value").focus();
  $("token").onsubmit = (event) => {
    event.preventDefault();
    token = $("token-value").value.trim();
    sessionStorage.setItem(KEY, token);
    $("token-value").value = "";
    $("token").hidden = true;
    say("");
    then();
  };
}

/** Shows what was loaded. */
export function showData() {
  $("data").hidden = false;
  $("forget").hidden = !token;
}

$("forget").onclick = () => {
  sessionStorage.removeItem(KEY);
  location.reload();
};

export const hasToken = () => Boolean(token);

const number = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** A count: 12,345. */
export const count = (value) => number.format(value);

/** A rate, with a digit after the point while it is small. */
export const rate = (value) => (value < 10 ? value.toFixed(1) : number.format(value));

/** A duration in seconds, in the unit that suits it. */
export function duration(seconds) {
  if (seconds == null) return "–";
  if (seconds < 1e-3) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 1) return `${(seconds * 1e3).toPrecision(3)} ms`;
  if (seconds < 100) return `${seconds.toPrecision(3)} s`;
  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const first = units.findIndex(([size]) => seconds >= size);
  const [[large, name], [small, next]] = [units[first], units[first + 1]];
  return `${Math.floor(seconds / large)} ${name} ${Math.floor((seconds % large) / small)} ${next}`;
}

/** A number of bytes. */
export function bytes(value) {
  if (value == null) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(Math.floor(Math.log2(Math.max(value, 1)) / 10), 4);
  return `${(value / 1024 ** power).toFixed(power ? 1 : 0)} ${units[power]}`;
}
