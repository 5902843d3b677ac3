/** Webhooks that Flotilla sends: whether they are Flotilla's (standardwebhooks.com), and what they say. */

import { Webhook, WebhookVerificationError } from "standardwebhooks";

/** Not of Flotilla, changed on the way, or too old: answer 401 and do nothing. */
export class InvalidSignatureError extends Error {
  override readonly name = "InvalidSignatureError";
}

/** An event as it is sent (CloudEvents 1.0). */
export interface CloudEvent {
  id: string;
  type: string;
  source: string;
  subject?: string;
  time: string;
  data: Record<string, unknown>;
  [attribute: string]: unknown;
}

/**
 * The event of a webhook; `secret` is what `POST /v1/partner-subscriptions` answered, `body` is as it came: not parsed
 * and written again.
 */
export function verifyWebhook(secret: string, headers: Headers | Record<string, string>, body: string): CloudEvent {
  const given = Object.fromEntries(
    headers instanceof Headers ? headers : Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
  try {
    return new Webhook(secret).verify(body, given) as CloudEvent;
  } catch (error) {
    if (error instanceof WebhookVerificationError) throw new InvalidSignatureError(error.message);
    throw error;
  }
}
