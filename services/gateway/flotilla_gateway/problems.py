"""What can go wrong at the door itself, beside the problems every service has."""

from flotilla.problems import ForbiddenError, Problem


class MethodNotAllowedError(Problem):
    """The path exists, but not for this method; `Allow` lists those it has."""

    status, slug, title = 405, "method-not-allowed", "This path does not take that method"


class RequestTimeoutError(Problem):
    """The request did not arrive within the time a request may take."""

    status, slug, title = 408, "request-timeout", "The request took too long to arrive"


class UpgradeRequiredError(Problem):
    """This path speaks WebSocket only."""

    status, slug, title = 426, "upgrade-required", "This path speaks WebSocket"


class HeadersTooLargeError(Problem):
    """The header fields together are larger than the gateway takes."""

    status, slug, title = 431, "headers-too-large", "The header fields are too large"


class BadGatewayError(Problem):
    """The service broke off before it answered. Whether it did what was asked is not known."""

    status, slug, title = 502, "bad-gateway", "The service broke off"


class GatewayTimeoutError(Problem):
    """The service did not answer in time. Whether it did what was asked is not known."""

    status, slug, title = 504, "gateway-timeout", "The service did not answer in time"


class HttpVersionError(Problem):
    """This answer has no length known beforehand, which HTTP/1.0 cannot carry."""

    status, slug, title = 505, "http-version", "This takes HTTP/1.1"


class ProofOfWorkRequiredError(Problem):
    """Solve the `challenge` and send the request again with the header `X-Proof-Of-Work`: docs/security.md says how."""

    status, slug, title = 428, "proof-of-work-required", "Show that this is worth a moment's work to you"


class AddressBlockedError(ForbiddenError):
    """Too much of what came from this address was refused; Retry-After says when it may call again."""

    slug, title = "address-blocked", "This address is blocked for a while"


class CrossSiteRequestError(ForbiddenError):
    """Sent with cookies, but nothing shows that a page of ours sent it: send `X-Csrf-Token`, as the sign-in gave it."""

    slug, title = "cross-site-request", "Another site may have sent this"


class OrganizationSuspendedError(ForbiddenError):
    """The organization is suspended; its data is kept."""

    slug, title = "organization-suspended", "Your organization is suspended"
