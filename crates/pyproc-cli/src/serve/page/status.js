// The page at /: how the gateway is, once a second.

import { $, askToken, bytes, count, duration, el, fill, json, NeedsToken, rate, say, showData } from "./common.js";
import { form, functions } from "./try.js";

const EVERY = 1000;

const STATES = { up: "good", starting: "warn", stopping: "warn", down: "bad" };

function figures(status) {
  const { calls, pool } = status;
  const latency = calls.latency_seconds;
  const up = pool?.workers.filter((it) => it.state === "up").length ?? 0;
  const restarts = pool?.workers.reduce((sum, it) => sum + it.restarts, 0) ?? 0;
  const state = status.ready ? ["ready", "good"] : [status.phase === "serving" ? "not ready" : status.phase, "bad"];
  const of = (most) => el("small", {}, ` of ${count(most)}`);
  return [
    ["State", el("span", { class: state[1] }, state[0])],
    ["Calls a second", rate(calls.per_second)],
    ["p50", duration(latency?.p50)],
    ["p90", duration(latency?.p90)],
    ["p99", duration(latency?.p99)],
    ["Workers up", up, of(pool?.workers.length ?? 0)],
    ["Calls in workers", count(pool?.in_flight ?? 0)],
    ["Queue", count(pool?.queue_length ?? 0), of(pool?.queue_limit ?? 0)],
    ["Restarts", count(restarts)],
    ["Calls", count(calls.calls), el("small", {}, ` ${count(calls.failed)} failed`)],
    ["Connections", count(status.connections)],
    ["Up for", duration(status.uptime_seconds)],
  ];
}

function history(seconds) {
  const most = Math.max(...seconds.map((it) => it.calls), 1);
  const missing = 60 - seconds.length;
  const bar = (index, from, value, kind) => {
    const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    const height = (value / most) * 60;
    const place = { x: (missing + index) * 10 + 1, y: 60 - from - height, width: 8, height, class: kind };
    for (const [name, it] of Object.entries(place)) rect.setAttribute(name, it);
    return rect;
  };
  $("history").replaceChildren(...seconds.flatMap(({ calls, failed }, index) => {
    const low = (failed / most) * 60;
    return calls ? [bar(index, 0, failed, "failed"), bar(index, low, calls - failed, "")] : [];
  }));
  $("history").setAttribute("aria-label", `At most ${count(most)} calls in one second of the last minute`);
  $("rate-most").textContent = `(at most ${count(most)})`;
}

const N = (name) => ({ name, n: true });
const C = (name) => ({ name });

function workers(pool) {
  const rows = (pool?.workers ?? []).map((it) => [
    String(it.worker), el("span", { class: STATES[it.state] ?? "" }, it.state), it.pid ?? "",
    duration(it.age_seconds), count(it.calls), count(it.in_flight), bytes(it.rss_bytes), count(it.restarts),
    [it.last_error, it.starts_in_seconds != null && `starts in ${duration(it.starts_in_seconds)}`].filter(Boolean).join("; "),
  ]);
  const columns = [C("Worker"), C("State"), C("Process"), N("Age"), N("Calls"), N("Now"), N("Memory"), N("Restarts"), C("Last error")];
  fill($("workers"), columns, rows, "The workers are not up yet.");
}

function functionTable(all) {
  const rows = all.map((it) => [
    it.name, rate(it.per_second), count(it.calls), count(it.refused), count(it.failed),
    ...["p50", "p90", "p99"].map((p) => duration(it.latency_seconds?.[p])),
  ]);
  const columns = [C("Function"), N("Calls a second"), N("Calls"), N("Refused"), N("Failed"), N("p50"), N("p90"), N("p99")];
  fill($("functions"), columns, rows, "The workers are not up yet.");
}

function errors(status) {
  const rows = status.errors.map((it) => [
    el("time", { datetime: new Date(it.time * 1000).toISOString() }, new Date(it.time * 1000).toLocaleTimeString()),
    String(it.status), it.function ?? "", it.count > 1 ? `${it.detail} (${count(it.count)} times)` : it.detail,
    el("code", {}, it.request_id ?? ""),
  ]);
  fill($("errors"), [C("Time"), C("Status"), C("Function"), C("What"), C("Request")], rows, "None.");
}

function show(status) {
  $("target").textContent = status.target;
  $("version").textContent = `pyproc ${status.version}`;
  say(status.ready ? "" : status.reason ?? "", "bad");
  $("figures").replaceChildren(...figures(status).map(([name, ...value]) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, value))));
  history(status.calls.history);
  workers(status.pool);
  functionTable(status.functions);
  errors(status);
  showData();
}

let tried = "";

/** The form comes when the functions are known, and anew when a program with others has taken the place. */
async function showForm(status) {
  const names = status.functions.map((it) => it.name).join("\n");
  if (!status.pool || names === tried) return;
  $("try").replaceChildren(form(functions(await json("openapi.json"))));
  tried = names;
}

async function look() {
  try {
    if (!document.hidden) {
      const status = await json("v1/status");
      show(status);
      $("data").classList.remove("old");
      await showForm(status);
    }
  } catch (error) {
    if (error instanceof NeedsToken) return askToken(error, look);
    say(`The gateway cannot be shown: ${error.message}`, "bad");
    $("data").classList.add("old");
  }
  setTimeout(look, EVERY);
}

look();
