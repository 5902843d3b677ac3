"""Streams of requests as raw bytes: well-formed, or as those who smuggle make them."""

from hypothesis import strategies as st

LIMIT = 2000
"""Bytes of a body that the gateway before the streams takes."""
UNMARKED = b"e=00000000"
"""Stands in every target, to be replaced by a mark of the same length."""


def one_of(*values: bytes) -> st.SearchStrategy[bytes]:
    """The first is the usual one."""
    return st.sampled_from(values)


LINE_ENDS = one_of(*[b"\r\n"] * 12, b"\n", b"\r", b"\r\r\n", b"\r\n ", b"\n\r\n")
METHODS = one_of(
    *[b"GET", b"POST"] * 6, b"PUT", b"get", b"OPTIONS", b"CONNECT", b"PRI", b"TRACE", b"G ET", b""
)
VERSIONS = one_of(
    *[b" HTTP/1.1"] * 10,
    b" HTTP/1.0",
    b" HTTP/1.2",
    b" HTTP/2.0",
    b" HTTP/0.9",
    b" http/1.1",
    b"",
    b"  HTTP/1.1",
)
TARGETS = one_of(
    *[b"/v1/open?e=00000000&n=%d"] * 10,
    *(
        b"/v1/things/../open?e=00000000&n=%d",
        b"/v1/open/%%2e%%2e?e=00000000&n=%d",
        b"/v1//open?e=00000000&n=%d",
        b"/v1/open%%2f?e=00000000&n=%d",
    ),
    *(
        b"/v1/open%%00?e=00000000&n=%d",
        b"/v1/open?e=00000000&n=%d#x",
        b"/v1/open?e=00000000&n=%d&x=\x80",
        b"/v1\\open?e=00000000&n=%d",
        b"*",
        b"open?e=00000000&n=%d",
    ),
    *(
        b"http://gateway.test/v1/open?e=00000000&n=%d",
        b"http://evil.test/v1/open?e=00000000&n=%d",
        b"gateway.test:443",
        b"/",
    ),
    *(
        b"http://user@gateway.test/v1/open?e=00000000&n=%d",
        b"ftp://gateway.test/v1/open?e=00000000&n=%d",
        b"/v1/open?e=00000000&n=%d&y= x",
    ),
)
FIELDS = one_of(
    *(b"x-own: a", b"X-Own:b\t", b"x-own:", b"x-own: \xff", b"accept: */*", b"cookie: a=b"),
    *(b"Flotilla-Principal: forged", b"flotilla_principal: forged", b"FLOTILLA-ORG: forged"),
    *(
        b"X-Forwarded-For: forged",
        b"x_forwarded_for: forged",
        b"X_Request_Id: forged-forged",
        b"Forwarded: for=forged",
    ),
    *(b"x-forwarded_proto: forged", b"X-Real-Ip: forged", b"Host: forged.test", b"host : gateway.test"),
    *(
        b"Connection: x-own",
        b"connection: keep-alive, x-forwarded-for",
        b"Connection: close",
        b"connection: content-length",
    ),
    *(
        b"Connection: Upgrade\r\nUpgrade: h2c",
        b"Keep-Alive: x=1",
        b"Proxy-Connection: close",
        b"TE: trailers",
        b"Trailer: x-own",
    ),
    *(b"Expect: 100-continue", b"expect: 200-ok", b"Upgrade: websocket"),
    *(
        b"x own: a",
        b": a",
        b"x-own",
        b" x-own: a",
        b"x-own: a\0b",
        b"x-own: a\rb",
        b"x\x80: a",
        b"x-own: a\x0bb",
        b"x-own: a\r\n b",
    ),
)
LENGTHS = one_of(
    *[b"content-length: %d"] * 6,
    *(
        b"Content-Length: +%d",
        b"content-length: -%d",
        b"content-length: %d, %d",
        b"content-length : %d",
        b"content_length: %d",
    ),
    *(
        b"content-length: 0x%x",
        b"content-length: 0%d",
        b"content-length: %d\r\ncontent-length: %d",
        b"content-length:%d \t",
    ),
    *(
        b"content-length: %d\r\nContent-Length: 0",
        b"content-length: 1%d",
        b"content-length: 99999999999999999999%d",
    ),
    *(
        b"content-length:\x0b%d",
        b"content-length:\r\n %d",
        b"content-length: %d.0",
        b"content-length: ",
        b"x-none: %d",
    ),
)
CODINGS = one_of(
    *[b"transfer-encoding: chunked"] * 6,
    *(
        b"Transfer-Encoding: Chunked",
        b"transfer-encoding : chunked",
        b"transfer_encoding: chunked",
        b"transfer-encoding:\tchunked",
    ),
    *(
        b"transfer-encoding: chunked, chunked",
        b"transfer-encoding: gzip, chunked",
        b"transfer-encoding: chunked, gzip",
    ),
    *(
        b"transfer-encoding: xchunked",
        b"transfer-encoding: identity",
        b"transfer-encoding: chunked;q=1",
        b"transfer-encoding:\x0bchunked",
    ),
    *(
        b"transfer-encoding:\r\n chunked",
        b"transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        b"transfer-encoding: ",
    ),
    *(
        b"transfer-encoding: chunked\r\ntransfer-encoding: identity",
        b'transfer-encoding: "chunked"',
        b"\x00transfer-encoding: chunked",
    ),
)
SIZES = one_of(
    *[b"%x"] * 8,
    *(
        b"%X;ext=1",
        b"0%x",
        b"%x ",
        b" %x",
        b'%x;a="\r\n"',
        b"-%x",
        b"0x%x",
        b"+%x",
        b"%x\0",
        b"FFFFFFFFFFFFFFFF%x",
        b"%x;\n",
        b"%x;" + b"e" * 300,
    ),
)


PARTS = ("method", "target", "version", "end", "field", "length", "coding", "size", "both", "trailer")
USUAL = {"target": b"/v1/open?e=00000000&n=%d", "version": b" HTTP/1.1", "end": b"\r\n", "size": b"%x"}
USUAL |= {"length": b"content-length: %d", "coding": b"transfer-encoding: chunked"}
PLAIN = one_of(b"x-own: a", b"X-Own:b\t", b"accept: */*", b"cookie: a=b", b"Flotilla-Principal: forged")
BODIES = (
    st.binary(max_size=40)
    | st.just(b"GET /v1/open?e=00000000&n=stolen HTTP/1.1\r\nhost: gateway.test\r\n\r\n")
    | st.just(b"x" * (LIMIT + 1))
)
TRAILERS = one_of(b"", b"flotilla-principal: forged\r\n", b"x y: 1\r\n", b"content-length: 5\r\n")


class Oddities:
    """Which parts of a request are odd; the others are as everybody writes them.

    Of requests that are odd all over, each is refused for its first oddity, and what lies behind is never looked at.
    """

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self.of = draw(st.sets(st.sampled_from(PARTS), max_size=3))

    def pick(self, part: str, strategy: st.SearchStrategy[bytes]) -> bytes:
        """Perhaps odd."""
        return self._draw(strategy) if part in self.of else USUAL[part]

    def end(self) -> bytes:
        """Of a line."""
        return self.pick("end", LINE_ENDS)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """One, well-formed or nearly so."""
    odd = Oddities(draw)
    number = draw(st.integers(0, 999))
    target = odd.pick("target", TARGETS)
    line = draw(METHODS if "method" in odd.of else one_of(b"GET", b"POST")) + b" "
    line += target % number if b"%d" in target else target.replace(b"%%", b"%")
    line += odd.pick("version", VERSIONS)
    fields = [] if "field" in odd.of and not draw(st.integers(0, 3)) else [b"host: gateway.test"]
    fields += draw(st.lists(FIELDS if "field" in odd.of else PLAIN, max_size=3))
    body = draw(BODIES)
    kind = draw(st.sampled_from(["none", "length", "chunked"]))
    both = "both" in odd.of
    if kind == "length" or both:
        length = odd.pick("length", LENGTHS)
        fields.append(length % ((len(body),) * (length.count(b"%d") + length.count(b"%x"))))
    if kind == "chunked" or both:
        fields.append(odd.pick("coding", CODINGS))
    fields = draw(st.permutations(fields))
    empty = b"\r\n" if "end" in odd.of and draw(st.booleans()) else b""
    head = empty + line + odd.end() + b"".join(each + odd.end() for each in fields) + odd.end()
    if kind == "none" and not both:
        return head
    return head + (body if kind == "length" else chunked(draw, odd, body))


def chunked(draw: st.DrawFn, odd: Oddities, body: bytes) -> bytes:
    """A body in chunks."""
    data = b""
    for part in filter(None, (body[:7], body[7:])):
        data += odd.pick("size", SIZES) % len(part) + odd.end() + part + odd.end()
    last = draw(one_of(*[b"0"] * 6, b"00", b"0;x", b"")) if "size" in odd.of else b"0"
    trailer = draw(TRAILERS) if "trailer" in odd.of else b""
    return data + last + odd.end() + trailer + odd.end()
