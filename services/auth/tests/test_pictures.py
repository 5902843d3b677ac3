"""Pictures drawn anew: what comes through, and what is not even decoded."""

import io
import struct
import zlib
from typing import Any

import pytest
from flotilla.testing.pictures import SIGNATURE, chunk, png
from flotilla_auth.domain.pictures import (
    DAMAGED,
    MOST_PIXELS,
    MOST_SCANS,
    NO_PICTURE,
    SIDE,
    TOO_MANY_PIXELS,
    TOO_MANY_SCANS,
    NoPictureError,
    drawn,
)
from PIL import ExifTags, Image, PngImagePlugin

RED, BLUE = (200, 30, 30), (30, 30, 200)
SECRET = "52.5200 N 13.4050 E, of Ada's phone"
SCAN = b"\xff\xda"


def two_halves(width: int = 640, height: int = 480) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(BLUE, (width // 2, 0, width, height))
    return image


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    written = io.BytesIO()
    image.save(written, kind, **options)
    return written.getvalue()


def opened(picture: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(picture))
    image.load()
    return image


def colour_at(image: Image.Image, x: float, y: float) -> str:
    """Which of the two it is nearer to, as a picture that is saved again is not the same to the bit."""
    pixel = image.convert("RGB").getpixel((int(x * SIDE), int(y * SIDE)))
    assert isinstance(pixel, tuple)
    return "red" if pixel[0] > pixel[2] else "blue"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_whatever_comes_it_is_a_small_square(kind: str) -> None:
    for size in ((640, 480), (480, 640), (17, 3), (1, 1), (256, 256)):
        picture = drawn(saved(two_halves(*size), kind))
        image = opened(picture)
        assert (image.format, image.size, image.mode) == ("WEBP", (SIDE, SIDE), "RGB")
        assert len(picture) < 64 * 1024
    image = opened(drawn(saved(two_halves(), kind)))
    assert (colour_at(image, 0.1, 0.5), colour_at(image, 0.9, 0.5)) == ("red", "blue")


def test_modes_that_a_file_may_have() -> None:
    for mode in ("1", "L", "P", "RGB", "RGBA", "LA", "I;16"):
        assert opened(drawn(saved(Image.new(mode, (40, 30)), "PNG"))).size == (SIDE, SIDE), mode
    assert opened(drawn(saved(Image.new("CMYK", (40, 30)), "JPEG"))).mode == "RGB"
    half = Image.new("RGBA", (300, 300), (*RED, 0))
    half.paste((*RED, 255), (0, 0, 300, 150))
    alpha = opened(drawn(saved(half, "PNG"))).getchannel("A")
    assert alpha.getpixel((SIDE // 2, 20)) == 255
    assert alpha.getpixel((SIDE // 2, SIDE - 20)) == 0, "what is transparent stays so"


def test_nothing_of_the_file_comes_through_but_pixels() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = SECRET
    exif[ExifTags.Base.Orientation] = 6  # shown turned to the right: what is left of the file is above
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSAreaInformation] = SECRET
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", SECRET)
    hidden = SECRET.encode()
    for sent in (
        saved(two_halves(), "JPEG", exif=exif, comment=hidden, icc_profile=hidden) + hidden,
        saved(two_halves(), "PNG", exif=exif, pnginfo=text, icc_profile=hidden) + hidden,
        saved(two_halves(), "WEBP", exif=exif, xmp=hidden, icc_profile=hidden),
    ):
        assert hidden in sent
        picture = drawn(sent)
        assert b"Ada" not in picture
        image = opened(picture)
        assert not image.getexif()
        assert not {"exif", "xmp", "icc_profile", "comment"} & image.info.keys()
        assert (colour_at(image, 0.5, 0.1), colour_at(image, 0.5, 0.9)) == ("red", "blue"), (
            "and it is upright"
        )


def test_of_an_animation_the_first_frame() -> None:
    frames = [Image.new("RGB", (64, 64), colour) for colour in (RED, BLUE)]
    for kind in ("WEBP", "PNG"):
        image = opened(drawn(saved(frames[0], kind, save_all=True, append_images=frames[1:])))
        assert getattr(image, "n_frames", 1) == 1
        assert colour_at(image, 0.5, 0.5) == "red"


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"hello",
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        b"<!doctype html><script>alert(1)</script>",
        saved(Image.new("P", (8, 8)), "GIF"),
        saved(two_halves(8, 8), "BMP"),
        saved(two_halves(8, 8), "TIFF"),
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n",
    ],
)
def test_no_other_kind_is_looked_at(sent: bytes) -> None:
    assert refusal(sent) == NO_PICTURE


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_what_is_cut_off_is_refused(kind: str) -> None:
    whole = saved(two_halves(), kind)
    for sent in (whole[: len(whole) // 2], whole[:40], whole[:20]):
        assert refusal(sent) in (DAMAGED, NO_PICTURE)


def test_what_would_take_too_much_is_not_decoded() -> None:
    head = struct.pack(">IIBBBBB", MOST_PIXELS // 1000, 1001, 8, 2, 0, 0, 0)
    bomb = SIGNATURE + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    assert refusal(bomb) == TOO_MANY_PIXELS
    huge = SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 1, 0, 0, 0, 0))
    assert refusal(huge + chunk(b"IDAT", b"")) == TOO_MANY_PIXELS
    assert opened(drawn(png(*RED, side=3000))).size == (SIDE, SIDE), "and as much as is allowed is"

    progressive = saved(two_halves(), "JPEG", progressive=True)
    last = progressive[progressive.rindex(SCAN) : -2]
    assert refusal(progressive[:-2] + last * MOST_SCANS + progressive[-2:]) == TOO_MANY_SCANS
    assert opened(drawn(progressive)).size == (SIDE, SIDE)


def refusal(sent: bytes) -> str:
    with pytest.raises(NoPictureError) as refused:
        drawn(sent)
    return str(refused.value)
