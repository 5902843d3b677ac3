/** A short job with the client, against the fleet whose address and credentials its environment names. */

import assert from "node:assert/strict";

import { Webhook } from "standardwebhooks";

import { connect, done, InvalidSignatureError, pages, ProblemError, verifyWebhook } from "../src/index.js";

function given(name: string): string {
  const value = process.env[name];
  assert(value, `${name} is not set`);
  return value;
}

const address = given("FLOTILLA_ADDRESS");
const byKey = connect(address, { apiKey: given("FLOTILLA_API_KEY") });
const byClient = connect(address, {
  clientId: given("FLOTILLA_CLIENT_ID"),
  clientSecret: given("FLOTILLA_CLIENT_SECRET"),
});

async function refused(what: Promise<unknown>): Promise<ProblemError> {
  const error: unknown = await what.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert(error instanceof ProblemError, String(error));
  return error;
}

async function makesReadsAndChanges(): Promise<string> {
  const company = done(await byKey.POST("/v1/companies", { body: { name: "Typed Coffee" } }));
  const path = { company_id: company.id };
  const read = await byClient.GET("/v1/companies/{company_id}", { params: { path } });
  assert.equal(done(read).name, "Typed Coffee");
  const etag = read.response.headers.get("etag");
  assert(etag);
  const changed = await byKey.PATCH("/v1/companies/{company_id}", {
    params: { path, header: { "If-Match": etag } },
    body: { name: "Typed Tea" },
  });
  assert.equal(done(changed).name, "Typed Tea");
  const stale = await refused(
    byKey.PATCH("/v1/companies/{company_id}", {
      params: { path, header: { "If-Match": etag } },
      body: { name: "Typed Milk" },
    }),
  );
  assert.equal(stale.kind, "precondition-failed");
  return company.id;
}

async function repeatsAWriteOnce(): Promise<void> {
  const header = { "Idempotency-Key": "typed-once" };
  const body = { name: "Only Once" };
  const first = done(await byKey.POST("/v1/companies", { params: { header }, body }));
  const second = done(await byKey.POST("/v1/companies", { params: { header }, body }));
  assert.equal(first.id, second.id);
}

async function readsPages(expected: string): Promise<void> {
  await Promise.all([1, 2, 3].map((each) => byKey.POST("/v1/companies", { body: { name: `Shop ${each}` } })));
  const found: string[] = [];
  const read = (cursor: string | undefined) =>
    byKey.GET("/v1/companies", { params: { query: { limit: 2, ...(cursor === undefined ? {} : { cursor }) } } });
  for await (const company of pages(read)) found.push(company.id);
  assert(found.includes(expected));
  assert(found.length >= 5);
  assert.equal(new Set(found).size, found.length);
}

async function meetsProblems(): Promise<void> {
  const nowhere = { company_id: "00000000-0000-7000-8000-000000000000" };
  const missing = await refused(byKey.GET("/v1/companies/{company_id}", { params: { path: nowhere } }));
  assert.deepEqual([missing.status, missing.kind], [404, "not-found"]);
  assert(missing.requestId);
  const invalid = await refused(byKey.POST("/v1/companies", { body: { name: "" } }));
  assert.deepEqual([invalid.status, invalid.errors[0]?.pointer], [422, "/name"]);
  const nobody = await refused(connect(address, { apiKey: "flt_wrong" }).GET("/v1/companies"));
  assert.equal(nobody.status, 401);
}

function verifiesWebhooks(): void {
  const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  const body = '{"type": "deal.won.v1", "data": {}}';
  const now = new Date();
  const headers = {
    "webhook-id": "msg_1",
    "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
    "webhook-signature": new Webhook(secret).sign("msg_1", now, body),
  };
  assert.equal(verifyWebhook(secret, headers, body).type, "deal.won.v1");
  assert.throws(() => verifyWebhook(secret, headers, body.replace("won", "lost")), InvalidSignatureError);
}

verifiesWebhooks();
const made = await makesReadsAndChanges();
await repeatsAWriteOnce();
await readsPages(made);
await meetsProblems();
console.log("all done");
