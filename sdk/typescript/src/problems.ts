/** Problems (RFC 9457) as exceptions. */

/** A value that does not fit: where it stands, and why. */
export interface Misfit {
  pointer?: string;
  parameter?: string;
  detail: string;
}

/** What Flotilla answered instead of what was asked: `detail` says what to do about it. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";

  constructor(
    readonly status: number,
    /** What kind it is, the last part of its type: `not-found`, `conflict`, `precondition-failed`, `invalid`. */
    readonly kind: string,
    readonly title: string,
    readonly detail: string,
    readonly requestId: string,
    readonly errors: readonly Misfit[],
    /** Seconds after which it may succeed, where the server said so. */
    readonly retryAfter: number | undefined,
    /** Whatever else the problem says. */
    readonly extensions: Readonly<Record<string, unknown>>,
  ) {
    super(`${status} ${title}: ${detail} (request ${requestId})`);
  }
}

/** The exception for an answer of 400 or above; its body is read. */
export async function problemOf(response: Response): Promise<ProblemError> {
  const { type, title, status: _, detail, request_id, errors, ...extensions } = await bodyOf(response);
  return new ProblemError(
    response.status,
    String(type ?? "about:blank").split("/").at(-1) ?? "",
    String(title ?? response.statusText),
    String(detail ?? ""),
    String(request_id ?? response.headers.get("x-request-id") ?? ""),
    Array.isArray(errors) ? (errors as Misfit[]) : [],
    retryAfter(response),
    extensions,
  );
}

/** `Retry-After` in seconds. */
export function retryAfter(response: Response): number | undefined {
  const said = Number(response.headers.get("retry-after") ?? Number.NaN);
  return Number.isFinite(said) && said >= 0 ? said : undefined;
}

async function bodyOf(response: Response): Promise<Record<string, unknown>> {
  try {
    const body: unknown = await response.json();
    return typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
