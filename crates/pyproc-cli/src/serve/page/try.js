// The form that calls a function; both pages have it.

import { el, askToken, duration, hasToken, NeedsToken, request } from "./common.js";

/** The functions that an OpenAPI document describes. */
export function functions(document) {
  const prefix = "/v1/call/";
  return Object.entries(document.paths)
    .filter(([path]) => path.startsWith(prefix))
    .map(([path, item]) => {
      const content = item.post.requestBody?.content ?? {};
      return {
        path: path.slice(1),
        name: decodeURIComponent(path.slice(prefix.length)),
        operation: item.post,
        json: content["application/json"],
        raw: "application/octet-stream" in content,
        required: Boolean(item.post.requestBody?.required),
      };
    });
}

let forms = 0;

/** A form for these functions: with one to choose, or for the only one. */
export function form(all) {
  const id = `try${forms++}`;
  const choice = el("select", { id: `${id}-function` }, all.map((it) => el("option", {}, it.name)));
  const kinds = el("fieldset", {}, el("legend", {}, "Body"), ["JSON", "File"].map((kind) => [
    el("input", { type: "radio", name: `${id}-kind`, value: kind, id: `${id}-${kind}` }),
    el("label", { for: `${id}-${kind}` }, kind),
  ]));
  const text = el("textarea", { id: `${id}-body`, spellcheck: "false", autocomplete: "off" });
  const textBox = el("div", {}, el("label", { for: text.id }, "JSON"), text);
  const file = el("input", { type: "file", id: `${id}-file` });
  const fileBox = el("div", {}, el("label", { for: file.id }, "File, sent as it is"), file);
  const button = el("button", {}, "Call");
  const status = el("span", { role: "status" });
  const curl = el("pre", { class: "curl", "aria-label": "The same call by curl" });
  const result = el("pre", { hidden: true, tabindex: "0", "aria-label": "Result" });
  const chosen = () => all[Math.max(choice.selectedIndex, 0)];
  const kind = () => kinds.querySelector("input:checked")?.value;

  function showCurl() {
    const url = new URL(chosen().path, window.document.baseURI);
    const body = kind() === "File"
      ? ` --header 'Content-Type: application/octet-stream' --data-binary @${file.files[0]?.name ?? "FILE"}`
      : text.value.trim() ? ` --json '${text.value.trim().replaceAll("'", "'\\''")}'` : " --request POST";
    curl.textContent = `curl${hasToken() ? ' --header "Authorization: Bearer $TOKEN"' : ""}${body} '${url}'`;
  }

  function showKind() {
    textBox.hidden = kind() !== "JSON";
    fileBox.hidden = kind() !== "File";
    showCurl();
  }

  function showFunction() {
    const { json, raw } = chosen();
    kinds.hidden = !(json && raw);
    kinds.querySelector(`[value=${json ? "JSON" : "File"}]`).checked = true;
    text.value = json?.example === undefined ? "" : JSON.stringify(json.example, null, 2);
    status.textContent = "";
    result.hidden = true;
    showKind();
  }

  async function call() {
    const options = { method: "POST", headers: { Accept: "application/json" } };
    if (kind() === "File") {
      options.headers["Content-Type"] = "application/octet-stream";
      options.body = file.files[0] ?? new Blob();
    } else if (text.value.trim()) {
      options.headers["Content-Type"] = "application/json";
      options.body = text.value;
    }
    const begun = performance.now();
    const response = await request(chosen().path, options);
    const body = await response.text();
    const took = duration((performance.now() - begun) / 1000);
    show(`${response.status} ${response.statusText} in ${took}`, response.ok, body);
  }

  function show(line, ok, body) {
    status.className = ok ? "good" : "bad";
    const { sentence, shown } = read(body, ok);
    status.textContent = sentence ? `${line}: ${sentence}` : line;
    result.textContent = shown;
    result.hidden = shown === "";
  }

  choice.onchange = showFunction;
  kinds.onchange = showKind;
  text.oninput = file.onchange = showCurl;
  text.onkeydown = (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) whole.requestSubmit();
  };
  const whole = el("form", {},
    all.length > 1 && el("div", {}, el("label", { for: choice.id }, "Function"), choice),
    kinds, textBox, fileBox, el("div", { class: "row" }, button, status), result,
    el("details", {}, el("summary", {}, "The same by curl"), curl));
  whole.onsubmit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    status.className = "";
    status.textContent = "Calling…";
    result.hidden = true;
    try {
      await call();
    } catch (error) {
      if (error instanceof NeedsToken) askToken(error, () => location.reload());
      else show("No answer", false, JSON.stringify({ detail: error.message }));
    } finally {
      button.disabled = false;
    }
  };
  showFunction();
  return whole;
}

const LONGEST = 20000;

/** The sentence of a problem, and the body as people like to read it. */
function read(body, ok) {
  let value;
  try {
    value = JSON.parse(body);
  } catch {
    return { sentence: "", shown: cut(body) };
  }
  // Numbers that a browser would round are shown as they came.
  const exact = !/\d{16}/.test(body);
  return { sentence: ok ? "" : value?.detail ?? "", shown: cut(exact ? JSON.stringify(value, null, 2) : body) };
}

const cut = (text) => (text.length > LONGEST ? `${text.slice(0, LONGEST)}\n… ${text.length - LONGEST} more characters` : text);
