/**
 * Flotilla's API for TypeScript programs.
 *
 *     const flotilla = connect("https://flotilla.example.com", { apiKey: "flt_…" });
 *     const contact = done(await flotilla.POST("/v1/contacts", { body: { name: "Iryna Koval" } }));
 *     for await (const each of pages((cursor) => flotilla.GET("/v1/contacts", { params: { query: { cursor } } })))
 *       console.log(each.name);
 *
 * Paths, parameters and bodies are typed by `schema.d.ts`, which is made from contracts/openapi.json.
 */

import createClient, { type Client } from "openapi-fetch";

import { problemOf } from "./problems.js";
import type { components, paths } from "./schema.js";
import { type Patience, authorization, sending, type Credentials } from "./sending.js";

export { ProblemError } from "./problems.js";
export { InvalidSignatureError, verifyWebhook, type CloudEvent } from "./webhooks.js";
export type { Credentials, Patience, paths, components };

/** Types of the document by name: `Schema<"Contact">`. */
export type Schema<Name extends keyof components["schemas"]> = components["schemas"][Name];

/** A client whose every answer of 400 and above is thrown as a ProblemError, and whose writes are done once. */
export function connect(baseUrl: string, credentials: Credentials, patience: Patience = {}): Client<paths> {
  const send = sending(authorization(baseUrl, credentials), patience);
  const client = createClient<paths>({ baseUrl: baseUrl.replace(/\/+$/, ""), fetch: send });
  client.use({
    async onResponse({ response }) {
      if (response.status >= 400) throw await problemOf(response);
    },
  });
  return client;
}

/** What was answered: of an operation that answers something. */
export function done<T>(answer: { data?: T }): NonNullable<T> {
  if (answer.data === undefined || answer.data === null) throw new TypeError("this operation answers nothing");
  return answer.data;
}

/** Every item of a list, read page by page as they are asked for. */
export async function* pages<T>(
  read: (cursor: string | undefined) => Promise<{ data?: { items: T[]; next_cursor?: string | null } }>,
): AsyncGenerator<T, void, void> {
  let cursor: string | undefined;
  do {
    const page = done(await read(cursor));
    yield* page.items;
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
}
