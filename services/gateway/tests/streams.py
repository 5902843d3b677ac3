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


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """One, well-formed or nearly so."""
    number = draw(st.integers(0, 999))
    target = draw(TARGETS)
    line = (
        draw(METHODS)
        + b" "
        + (target % number if b"%d" in target else target.replace(b"%%", b"%"))
        + draw(VERSIONS)
    )
    end = draw(LINE_ENDS)
    fields = [b"host: gateway.test"] if draw(st.integers(0, 15)) else []
    fields += draw(st.lists(FIELDS, max_size=3))
    body = draw(
        st.binary(max_size=40)
        | st.just(b"GET /v1/open?e=00000000&n=stolen HTTP/1.1\r\nhost: gateway.test\r\n\r\n")
        | st.just(b"x" * (LIMIT + 1))
    )
    kind = draw(st.sampled_from(["none", "none", "length", "length", "chunked", "chunked", "both"]))
    if kind in ("length", "both"):
        length = draw(LENGTHS)
        fields.append(length % ((len(body),) * (length.count(b"%d") + length.count(b"%x"))))
    if kind in ("chunked", "both"):
        fields.append(draw(CODINGS))
    fields = draw(st.permutations(fields))
    head = (b"\r\n" if draw(st.integers(0, 15)) == 0 else b"") + line + end
    head += b"".join(each + draw(LINE_ENDS) for each in fields) + draw(LINE_ENDS)
    if kind == "none":
        return head
    return head + (body if kind == "length" else draw(chunked(body)))


@st.composite
def chunked(draw: st.DrawFn, body: bytes) -> bytes:
    """A body in chunks."""
    parts = [body[:7], body[7:]]
    data = b""
    for part in filter(None, parts):
        data += draw(SIZES) % len(part) + draw(LINE_ENDS) + part + draw(LINE_ENDS)
    trailer = draw(
        st.sampled_from(
            [b"", b"", b"", b"flotilla-principal: forged\r\n", b"x y: 1\r\n", b"content-length: 5\r\n"]
        )
    )
    return data + draw(one_of(*[b"0"] * 6, b"00", b"0;x", b"")) + draw(LINE_ENDS) + trailer + draw(LINE_ENDS)
