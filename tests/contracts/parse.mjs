// Reads the AsyncAPI document named on the command line with AsyncAPI's own parser and prints, as JSON, what
// the parser has to say of it and what it found in it.
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { Parser } from "@asyncapi/parser";

const path = resolve(process.argv[2]);
const { document, diagnostics } = await new Parser().parse(await readFile(path, "utf8"), { source: path });
const found = !document ? null : {
  version: document.version(),
  channels: document.channels().all().map((channel) => channel.address()),
  operations: document.operations().all().map((operation) => operation.id()),
  messages: document.messages().all().map((message) => ({
    name: message.name(),
    required: message.payload()?.required() ?? [],
  })),
};
const complaints = diagnostics.map(({ code, severity, message, path: where }) => ({ code, severity, message, where }));
console.log(JSON.stringify({ found, diagnostics: complaints }));
