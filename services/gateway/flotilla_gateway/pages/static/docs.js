// The page to browse the API with, made from /openapi.json: every operation, what it takes and answers, and a
// form to try it. It loads nothing else, and writes text only as text.

const METHODS = ["get", "post", "put", "patch", "delete"];
const DEEPEST = 6;

const byId = (id) => document.getElementById(id);

/** An element with attributes and children; strings become text nodes. */
function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

class Reference {
  /** @param {object} root the OpenAPI document */
  constructor(root) {
    this.root = root;
  }

  /** What a `$ref` points to, else the thing itself. */
  resolve(thing) {
    if (!thing?.$ref) return thing ?? {};
    const parts = thing.$ref.replace(/^#\//, "").split("/");
    return parts.reduce((at, part) => at?.[part.replace(/~1/g, "/").replace(/~0/g, "~")], this.root) ?? {};
  }
}

/** A type in a few words: `string (uuid)`, `array of Contact`, `string or null`. */
function typeName(schema, reference) {
  const found = reference.resolve(schema);
  const variants = found.anyOf ?? found.oneOf;
  if (variants) return [...new Set(variants.map((each) => typeName(each, reference)))].join(" or ");
  if (found.enum) return found.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (found.const !== undefined) return JSON.stringify(found.const);
  if (found.type === "array") return `array of ${typeName(found.items, reference)}`;
  if (found.type === "object" && found.title) return found.title;
  const type = Array.isArray(found.type) ? found.type.join(" or ") : found.type ?? "anything";
  return found.format ? `${type} (${found.format})` : type;
}

/** The schema whose properties are worth showing: through arrays, and the one variant that is not null. */
function inner(schema, reference) {
  const found = reference.resolve(schema);
  if (found.type === "array") return inner(found.items, reference);
  const variants = (found.anyOf ?? found.oneOf ?? []).filter((each) => reference.resolve(each).type !== "null");
  if (variants.length === 1) return inner(variants[0], reference);
  if (!found.allOf) return found;
  const parts = found.allOf.map((part) => inner(part, reference));
  return {
    ...found,
    properties: Object.assign({}, ...parts.map((part) => part.properties), found.properties),
    required: parts.flatMap((part) => part.required ?? []).concat(found.required ?? []),
  };
}

/** The properties of a schema as a tree. */
function tree(schema, reference, depth = 0) {
  const found = inner(schema, reference);
  const properties = Object.entries(found.properties ?? {});
  if (!properties.length || depth > DEEPEST) return null;
  const rows = properties.map(([name, property]) => {
    const required = found.required?.includes(name) ? "required" : null;
    const about = reference.resolve(property).description ?? property.description;
    return el(
      "li", {},
      el("code", { class: required }, name), " ",
      el("span", { class: "type" }, typeName(property, reference)),
      about ? el("span", { class: "note" }, ` · ${about}`) : null,
      tree(property, reference, depth + 1),
    );
  });
  return el("ul", { class: "tree" }, ...rows);
}

/** Something that fits the schema, to begin a request body with. */
function example(schema, reference, depth = 0) {
  const found = reference.resolve(schema);
  if (found.example !== undefined) return found.example;
  if (found.examples?.length) return found.examples[0];
  if (found.default !== undefined) return found.default;
  if (found.const !== undefined) return found.const;
  if (found.enum) return found.enum[0];
  const variants = found.anyOf ?? found.oneOf;
  if (variants) return example(variants[0], reference, depth);
  const whole = inner(found, reference);
  if (found.type === "array") return depth > DEEPEST ? [] : [example(found.items, reference, depth + 1)];
  if (whole.properties) {
    if (depth > DEEPEST) return {};
    const wanted = Object.entries(whole.properties).filter(([name]) => !whole.required || whole.required.includes(name));
    return Object.fromEntries(wanted.map(([name, each]) => [name, example(each, reference, depth + 1)]));
  }
  const plain = { string: "", integer: 0, number: 0, boolean: false, object: {}, null: null };
  return plain[found.type] ?? null;
}

const jsonSchema = (content) => Object.values(content ?? {}).find((each) => each.schema)?.schema;

function parametersTable(parameters, reference) {
  const rows = parameters.map((parameter) =>
    el(
      "tr", {},
      el("td", {}, el("code", { class: parameter.required ? "required" : null }, parameter.name)),
      el("td", { class: "type" }, `${parameter.in}, ${typeName(parameter.schema, reference)}`),
      el("td", {}, parameter.description ?? ""),
    ),
  );
  return el("table", {}, ...rows);
}

function responsesTable(responses, reference) {
  const rows = Object.entries(responses).map(([status, response]) => {
    const found = reference.resolve(response);
    const schema = jsonSchema(found.content);
    const shown = Number(status) < 300 && schema ? tree(schema, reference) : null;
    const type = schema ? el("span", { class: "type" }, ` ${typeName(schema, reference)}`) : null;
    return el("tr", {}, el("td", {}, el("code", {}, status)), el("td", {}, found.description ?? "", type, shown));
  });
  return el("table", {}, ...rows);
}

/** The form with which an operation is tried. */
function tryForm(operation, reference) {
  const fields = operation.parameters
    .filter((parameter) => ["path", "query", "header"].includes(parameter.in))
    .map((parameter) => ({ parameter, input: el("input", { spellcheck: "false", autocomplete: "off" }) }));
  const schema = jsonSchema(reference.resolve(operation.requestBody).content);
  const body = schema ? el("textarea", { spellcheck: "false" }) : null;
  if (body) body.value = JSON.stringify(example(schema, reference), null, 2);
  const answer = el("div", { class: "answer", "aria-live": "polite" });
  const button = el("button", { type: "button" }, "Send");
  button.addEventListener("click", async () => {
    button.disabled = true;
    answer.replaceChildren(await send(operation, fields, body?.value));
    button.disabled = false;
  });
  const labels = fields.map(({ parameter, input }) => el("label", {}, parameter.name, input));
  return el("div", { class: "try" }, ...labels, body ? el("label", {}, "body", body) : null, button, answer);
}

/** One request; what came of it, as an element. */
async function send(operation, fields, body) {
  let path = operation.path;
  const query = new URLSearchParams();
  const headers = {};
  for (const { parameter, input } of fields) {
    if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    else if (!input.value) continue;
    else if (parameter.in === "query") query.append(parameter.name, input.value);
    else headers[parameter.name] = input.value;
  }
  if (byId("token").value) headers.authorization = `Bearer ${byId("token").value.trim()}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  const began = performance.now();
  try {
    const target = query.size ? `${path}?${query}` : path;
    const response = await fetch(target, { method: operation.method.toUpperCase(), headers, body, credentials: "omit" });
    const text = await response.text();
    const took = Math.round(performance.now() - began);
    const status = el("strong", { class: response.ok ? "good" : "bad" }, `${response.status} ${response.statusText}`);
    return el("div", {}, status, ` in ${took} ms`, text ? el("pre", {}, pretty(text)) : null);
  } catch (error) {
    return el("div", {}, el("strong", { class: "bad" }, "Not sent"), ` ${error.message}`);
  }
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** What is shown of an operation once it is opened. */
function inside(operation, reference) {
  const { parameters } = operation;
  const schema = jsonSchema(reference.resolve(operation.requestBody).content);
  const open = operation["x-permission"] === "public";
  const marks = [
    operation["x-service"],
    open ? "open to everybody" : `needs ${operation["x-permission"]}`,
    operation["x-rate-limit"] ? `limit ${operation["x-rate-limit"]}` : null,
  ].filter(Boolean);
  const parts = [el("div", { class: "marks" }, ...marks.map((mark) => el("span", {}, mark)))];
  if (operation.description) parts.push(el("p", {}, operation.description));
  if (parameters.length) parts.push(el("h4", {}, "Parameters"), parametersTable(parameters, reference));
  if (schema) {
    const type = el("span", { class: "type" }, typeName(schema, reference));
    parts.push(el("h4", {}, "Body"), type, tree(schema, reference) ?? "");
  }
  parts.push(el("h4", {}, "Answers"), responsesTable(operation.responses ?? {}, reference));
  parts.push(el("h4", {}, "Try it"), tryForm(operation, reference));
  return el("div", { class: "inside" }, ...parts);
}

function card(operation, reference) {
  const summary = el(
    "summary", {},
    el("span", { class: `method ${operation.method}` }, operation.method),
    el("span", { class: "path" }, operation.path),
    el("span", { class: "what" }, operation.summary ?? ""),
  );
  const details = el("details", { class: "operation", id: operation.id }, summary);
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) details.append(inside(operation, reference));
  });
  return details;
}

/** Operations by tag, in the order of the document. */
function grouped(root, reference) {
  const groups = new Map();
  for (const [path, item] of Object.entries(root.paths ?? {})) {
    for (const method of METHODS.filter((each) => item[each])) {
      const found = item[method];
      const parameters = [...(item.parameters ?? []), ...(found.parameters ?? [])].map((each) => reference.resolve(each));
      const id = found.operationId ?? `${method} ${path}`.replace(/\W+/g, "-");
      const operation = { ...found, path, method, id, parameters };
      const tag = found.tags?.[0] ?? found["x-service"] ?? "other";
      groups.set(tag, [...(groups.get(tag) ?? []), operation]);
    }
  }
  return [...groups].sort(([one], [other]) => one.localeCompare(other));
}

function indexLink(operation) {
  const link = el(
    "a", { href: `#${operation.id}`, title: operation.path },
    el("span", { class: `method ${operation.method}` }, operation.method),
    el("span", { class: "path" }, operation.path.replace(/^\/v1/, "")),
  );
  return { link, words: `${operation.method} ${operation.path} ${operation.summary ?? ""}`.toLowerCase() };
}

function show(root) {
  const reference = new Reference(root);
  const groups = grouped(root, reference);
  byId("version").textContent = `version ${root.info?.version ?? ""}`;
  byId("about").textContent = root.info?.description ?? "";
  const sections = groups.map(([tag, operations]) =>
    el("section", {}, el("h2", {}, tag), ...operations.map((operation) => card(operation, reference))),
  );
  byId("operations").replaceChildren(...sections);
  if (!sections.length) byId("operations").replaceChildren(el("p", { class: "nothing" }, "There are no operations yet."));
  const index = groups.map(([tag, operations]) => ({ heading: el("b", {}, tag), links: operations.map(indexLink) }));
  byId("index").replaceChildren(...index.flatMap(({ heading, links }) => [heading, ...links.map(({ link }) => link)]));
  byId("search").addEventListener("input", () => filter(index, byId("search").value));
  addEventListener("hashchange", openTarget);
  openTarget();
}

function filter(index, wanted) {
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  for (const { heading, links } of index) {
    for (const each of links) each.link.hidden = !words.every((word) => each.words.includes(word));
    heading.hidden = links.every(({ link }) => link.hidden);
  }
}

/** Open the operation that the address names. */
function openTarget() {
  const target = byId(decodeURIComponent(location.hash.slice(1)));
  for (const link of document.querySelectorAll("nav a")) {
    link.toggleAttribute("aria-current", link.getAttribute("href") === location.hash);
  }
  if (target instanceof HTMLDetailsElement) {
    target.open = true;
    target.scrollIntoView();
  }
}

addEventListener("keydown", (event) => {
  const typing = ["INPUT", "TEXTAREA"].includes(document.activeElement?.tagName);
  if (event.key !== "/" || typing) return;
  event.preventDefault();
  byId("search").focus();
});

try {
  show(await (await fetch("/openapi.json")).json());
} catch (error) {
  byId("operations").replaceChildren(el("p", { class: "nothing" }, `The API document could not be read: ${error.message}`));
}
