// The page at /docs: what can be called, from /openapi.json.

import { $, askToken, el, fill, json, NeedsToken, say, showData } from "./common.js";
import { form, functions } from "./try.js";

/** The gateway's own types come after those of the functions. */
const OWN = ["Problem", "Probe", "Function", "Status"];

const SCHEMAS = "#/components/schemas/";
const code = (text) => el("code", {}, text);
const joined = (parts, between) => parts.flatMap((part, index) => (index ? [between, part] : [part])).flat();

/** A schema in a few words, with links to the types that have a name. */
function type(schema) {
  if (schema === undefined || schema === true) return ["anything"];
  if (schema.$ref) {
    const name = schema.$ref.replace(SCHEMAS, "");
    return [el("a", { href: `#type-${name}` }, name)];
  }
  if (schema.enum) return joined(schema.enum.map((it) => code(JSON.stringify(it))), " or ");
  if (schema.const !== undefined) return [code(JSON.stringify(schema.const))];
  const ways = schema.anyOf ?? schema.oneOf;
  if (ways) return joined(ways.map(type), " or ");
  if (schema.type === "array") return array(schema);
  if (schema.type === "object" && !schema.properties) {
    return ["object", ...(schema.additionalProperties ? [" of ", ...type(schema.additionalProperties)] : [])];
  }
  if (schema.contentEncoding) return [`bytes in ${schema.contentEncoding}`];
  const base = Array.isArray(schema.type) ? schema.type.join(" or ") : schema.type ?? "anything";
  return [[base, ...limits(schema)].join(", ")];
}

function array(schema) {
  if (schema.prefixItems) return ["array of ", ...joined(schema.prefixItems.map(type), ", ")];
  const items = schema.items && Object.keys(schema.items).length ? [" of ", ...type(schema.items)] : [];
  return ["array", ...items, [""].concat(limits(schema)).join(", ")];
}

const LIMITS = {
  minimum: "at least", maximum: "at most", exclusiveMinimum: "above", exclusiveMaximum: "below",
  multipleOf: "a multiple of", minLength: "at least this long:", maxLength: "at most this long:",
  minItems: "at least this many:", maxItems: "at most this many:", pattern: "like", format: "a",
};

const limits = (schema) => Object.entries(LIMITS)
  .filter(([keyword]) => schema[keyword] !== undefined)
  .map(([keyword, words]) => `${words} ${schema[keyword]}`);

/** A schema in full: its fields in a table, where it has some. */
function described(schema, root) {
  const named = schema.$ref && root.components.schemas[schema.$ref.replace(SCHEMAS, "")];
  const fields = (named || schema).properties ? named || schema : schema.anyOf?.find((it) => it.properties);
  if (!fields) return [el("p", {}, type(schema))];
  const words = named ? type(schema) : schema.anyOf ? ["An object of these, or an array of their values:"] : [];
  return [words.length ? el("p", {}, words) : null, properties(fields)];
}

function properties(schema) {
  const table = el("table");
  const rows = Object.entries(schema.properties).map(([name, it]) => [
    code(name),
    el("span", {}, type(it)),
    schema.required?.includes(name) ? "yes" : it.default === undefined ? "no" : el("span", {}, "no, ", code(JSON.stringify(it.default))),
    it.description ?? "",
  ]);
  fill(table, ["Field", "Type", "Required", "Meaning"].map((name) => ({ name })), rows, "no fields");
  return table;
}

function operation(it, root) {
  const [signature, ...words] = it.operation.description.split("\n\n");
  const taken = it.json ? described(it.json.schema, root) : [];
  const given = it.operation.responses["200"].content["application/json"].schema;
  return el("article", { id: `call-${it.name}` },
    el("h3", {}, it.name),
    el("p", {}, code(`POST /${it.path}`)),
    el("p", { class: "code" }, signature.replaceAll("`", "")),
    words.map((paragraph) => el("p", { class: "doc" }, paragraph.replaceAll("`", ""))),
    el("h4", {}, "Takes"), taken, it.raw ? el("p", {}, it.json ? "Or raw bytes, as application/octet-stream." : "Raw bytes, as application/octet-stream.") : null,
    it.required ? null : el("p", { class: "note" }, "The body may be left out."),
    el("h4", {}, "Gives"), described(given, root),
    el("details", {}, el("summary", {}, `Try ${it.name}`), form([it])));
}

const named = (name) => ({ name });

function show(root) {
  const all = functions(root);
  $("target").textContent = root.info.title;
  $("version").textContent = `pyproc ${root.info.version}`;
  $("contents").replaceChildren(...all.map((it) => el("li", {}, el("a", { href: `#call-${it.name}` }, it.name))));
  $("operations").replaceChildren(...all.map((it) => operation(it, root)));
  const types = Object.entries(root.components.schemas);
  const own = ([name]) => OWN.includes(name);
  $("types").replaceChildren(...[...types.filter((it) => !own(it)), ...types.filter(own)].map(([name, schema]) =>
    el("article", { id: `type-${name}` }, el("h3", {}, name),
      schema.description ? el("p", { class: "doc" }, schema.description) : null, described(schema, root))));
  fill($("answers"), ["Status", "Meaning"].map(named),
    Object.entries(root.components.responses).map(([status, it]) => [status, it.description]), "");
  fill($("headers"), ["Header", "Meaning"].map(named),
    Object.entries(root.components.parameters).map(([name, it]) => [code(name), it.description]), "");
  const paths = Object.entries(root.paths).filter(([, item]) => item.get);
  fill($("gateway"), ["Path", "What it tells"].map(named), paths.map(([path, item]) => [code(`GET ${path}`), item.get.summary]), "");
  showData();
  // The page was empty when the browser looked for its place.
  if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

async function load() {
  try {
    show(await json("openapi.json"));
    say("");
  } catch (error) {
    if (error instanceof NeedsToken) return askToken(error, load);
    say(error.message, "bad");
    // The workers may not be up yet.
    setTimeout(load, 2000);
  }
}

load();
