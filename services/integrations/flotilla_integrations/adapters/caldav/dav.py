"""The XML of WebDAV and CalDAV: RFC 4918, RFC 4791, RFC 6578 and the `getctag` of older servers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urljoin, urlsplit

from lxml import etree

DAV: Final = "DAV:"
CAL: Final = "urn:ietf:params:xml:ns:caldav"
CS: Final = "http://calendarserver.org/ns/"
_NAMES: Final = {"d": DAV, "c": CAL, "cs": CS}

COLLECTION: Final = b"""<?xml version="1.0" encoding="utf-8"?>
<d:propfind xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav" xmlns:cs="http://calendarserver.org/ns/"><d:prop>
<d:resourcetype/><d:displayname/><d:sync-token/><cs:getctag/><d:current-user-principal/>
<c:supported-calendar-component-set/></d:prop></d:propfind>"""
HOME: Final = b"""<?xml version="1.0" encoding="utf-8"?>
<d:propfind xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:prop><c:calendar-home-set/></d:prop>
</d:propfind>"""
ETAGS: Final = b"""<?xml version="1.0" encoding="utf-8"?>
<d:propfind xmlns:d="DAV:"><d:prop><d:getetag/><d:resourcetype/></d:prop></d:propfind>"""


class UnreadableError(ValueError):
    """This is no multistatus of WebDAV."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One `response` of a multistatus."""

    address: str
    """Absolute, on the server that was asked; None of another server's is ever among them."""
    found: bool
    etag: str | None
    calendar: bool
    takes_events: bool
    collection: bool
    name: str | None
    sync_token: str | None
    ctag: str | None
    principal: str | None
    home: str | None
    content: str | None
    """The iCalendar object."""


@dataclass(frozen=True, slots=True)
class Multistatus:
    """An answer to PROPFIND or REPORT."""

    resources: tuple[Resource, ...]
    sync_token: str | None


def sync_report(token: str | None) -> bytes:
    """What has changed since `token` (RFC 6578 section 3.2); everything where there is none."""
    root = etree.Element(f"{{{DAV}}}sync-collection", nsmap={"d": DAV})
    etree.SubElement(root, f"{{{DAV}}}sync-token").text = token or ""
    etree.SubElement(root, f"{{{DAV}}}sync-level").text = "1"
    prop = etree.SubElement(root, f"{{{DAV}}}prop")
    etree.SubElement(prop, f"{{{DAV}}}getetag")
    return bytes(etree.tostring(root, xml_declaration=True, encoding="utf-8"))


def multiget(addresses: Sequence[str]) -> bytes:
    """These items with their content (RFC 4791 section 7.9)."""
    root = etree.Element(f"{{{CAL}}}calendar-multiget", nsmap={"d": DAV, "c": CAL})
    prop = etree.SubElement(root, f"{{{DAV}}}prop")
    etree.SubElement(prop, f"{{{DAV}}}getetag")
    etree.SubElement(prop, f"{{{CAL}}}calendar-data")
    for address in addresses:
        etree.SubElement(root, f"{{{DAV}}}href").text = urlsplit(address).path
    return bytes(etree.tostring(root, xml_declaration=True, encoding="utf-8"))


def read(body: bytes, asked: str) -> Multistatus:
    """A multistatus that `asked` answered with; UnreadableError for anything else.

    What it says of other servers is left out: they are not sent the credentials of this one.
    """
    # Nothing is fetched or expanded on a stranger's word.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, dtd_validation=False, load_dtd=False)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise UnreadableError(str(error)) from None
    if root.tag != f"{{{DAV}}}multistatus":
        raise UnreadableError(f"a {root.tag} where a multistatus was expected")
    return Multistatus(tuple(_resources(root, asked)), _text(root, "d:sync-token"))


def invalid_token(body: bytes) -> bool:
    """Whether a refusal says that the token is good no more (RFC 6578 section 3.2)."""
    return b"valid-sync-token" in body


def same_server(one: str, other: str) -> bool:
    """Whether both are of the same origin."""
    a, b = urlsplit(one), urlsplit(other)
    return (a.scheme, a.hostname, a.port) == (b.scheme, b.hostname, b.port)


def _resources(root: etree._Element, asked: str) -> Iterator[Resource]:
    for response in root.iterfind("d:response", _NAMES):
        address = urljoin(asked, (response.findtext("d:href", "", _NAMES) or "").strip())
        if not same_server(address, asked):
            continue
        prop = _granted(response)
        components = {
            each.get("name", "") for each in _all(prop, "c:supported-calendar-component-set/c:comp")
        }
        yield Resource(
            address=address,
            found=" 404 " not in f"{response.findtext('d:status', '', _NAMES)} ",
            etag=_text(prop, "d:getetag"),
            calendar=bool(_all(prop, "d:resourcetype/c:calendar")),
            takes_events=not components or "VEVENT" in components,
            collection=bool(_all(prop, "d:resourcetype/d:collection")),
            name=_text(prop, "d:displayname"),
            sync_token=_text(prop, "d:sync-token"),
            ctag=_text(prop, "cs:getctag"),
            principal=_address(prop, "d:current-user-principal/d:href", asked),
            home=_address(prop, "c:calendar-home-set/d:href", asked),
            content=_text(prop, "c:calendar-data"),
        )


def _granted(response: etree._Element) -> etree._Element | None:
    for propstat in response.iterfind("d:propstat", _NAMES):
        if " 200 " in f"{propstat.findtext('d:status', '', _NAMES)} ":
            return propstat.find("d:prop", _NAMES)
    return None


def _all(prop: etree._Element | None, path: str) -> list[etree._Element]:
    return [] if prop is None else list(prop.iterfind(path, _NAMES))


def _text(prop: etree._Element | None, path: str) -> str | None:
    text = None if prop is None else prop.findtext(path, None, _NAMES)
    return text.strip() or None if text else None


def _address(prop: etree._Element | None, path: str, asked: str) -> str | None:
    text = _text(prop, path)
    address = urljoin(asked, text) if text else None
    return address if address and same_server(address, asked) else None


def same_path(one: str, other: str) -> bool:
    """Whether both name the same thing, however they are escaped."""
    return unquote(urlsplit(one).path).rstrip("/") == unquote(urlsplit(other).path).rstrip("/")
