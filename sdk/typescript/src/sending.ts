/** How requests are sent: by whom, again where that is safe, and once however often they are sent. */

import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";

import { problemOf, retryAfter } from "./problems.js";

/** An API key, an OAuth client (RFC 6749 section 4.4), somebody's access token; or nothing, for what is public. */
export type Credentials =
  | { apiKey: string }
  | { clientId: string; clientSecret: string }
  | { accessToken: string }
  | Record<string, never>;

/** How often a request is sent at most, and how many seconds may go by waiting between. */
export interface Patience {
  attempts?: number;
  seconds?: number;
}

/** Says who asks; `anew` after the answer to what it said last was 401: whether there is something else to say. */
export interface Authorization {
  sign(headers: Headers): Promise<void>;
  anew(): boolean;
}

const AGAIN = [429, 502, 503, 504];
const SAFE = ["GET", "HEAD", "OPTIONS"];
const LEEWAY_MS = 30_000;

export function authorization(baseUrl: string, credentials: Credentials): Authorization {
  if ("clientId" in credentials) return new ClientCredentials(baseUrl, credentials.clientId, credentials.clientSecret);
  const fixed: Record<string, string> =
    "apiKey" in credentials
      ? { "X-Api-Key": credentials.apiKey }
      : "accessToken" in credentials
        ? { Authorization: `Bearer ${credentials.accessToken}` }
        : {};
  return {
    async sign(headers) {
      for (const [name, value] of Object.entries(fixed)) headers.set(name, value);
    },
    anew: () => false,
  };
}

/** A `fetch` that does all of this. */
export function sending(who: Authorization, patience: Patience): (request: Request) => Promise<Response> {
  const attempts = patience.attempts ?? 4;
  const most = (patience.seconds ?? 60) * 1000;
  return async (request) => {
    // The same key each time: however often the write arrives, it is done once.
    if (!SAFE.includes(request.method) && !request.headers.has("Idempotency-Key"))
      request.headers.set("Idempotency-Key", randomUUID());
    let waited = 0;
    let renewed = false;
    for (let attempt = 1; ; attempt++) {
      await who.sign(request.headers);
      const came = await fetch(request.clone()).catch((error: unknown) => error);
      if (came instanceof Response && came.status === 401 && !renewed && who.anew()) {
        renewed = true;
        continue;
      }
      const ms = pauseAfter(came, attempt);
      if (ms === undefined || attempt >= attempts || waited + ms > most) {
        if (came instanceof Response) return came;
        throw came;
      }
      if (came instanceof Response) await came.body?.cancel();
      waited += ms;
      await pause(ms);
    }
  };
}

function pauseAfter(came: unknown, attempt: number): number | undefined {
  if (came instanceof Response) {
    if (!AGAIN.includes(came.status)) return undefined;
    const said = retryAfter(came);
    if (said !== undefined) return said * 1000 + Math.random() * 100;
  } else if (!(came instanceof TypeError)) return undefined; // what fetch throws where no answer came
  return (0.5 + Math.random() / 2) * 200 * 2 ** attempt;
}

class ClientCredentials implements Authorization {
  private token = "";
  private until = 0;

  constructor(
    private readonly baseUrl: string,
    private readonly id: string,
    private readonly secret: string,
  ) {}

  async sign(headers: Headers): Promise<void> {
    if (Date.now() >= this.until) await this.fetch();
    headers.set("Authorization", `Bearer ${this.token}`);
  }

  anew(): boolean {
    this.until = 0;
    return true;
  }

  private async fetch(): Promise<void> {
    const basic = Buffer.from(`${this.id}:${this.secret}`).toString("base64");
    const answer = await fetch(new URL("/v1/oauth/token", this.baseUrl), {
      method: "POST",
      headers: { Authorization: `Basic ${basic}` },
      body: new URLSearchParams({ grant_type: "client_credentials" }),
    });
    if (answer.status >= 400) throw await problemOf(answer);
    const told = (await answer.json()) as { access_token: string; expires_in: number };
    this.token = told.access_token;
    this.until = Date.now() + told.expires_in * 1000 - LEEWAY_MS;
  }
}
