"""Pictures that people send of themselves, drawn anew: pixels come through, and nothing else that was in the file."""

import io
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

SIDE: Final = 256
"""Of what comes of it, in pixels."""
MEDIA_TYPE: Final = "image/webp"
MOST_BYTES: Final = 1 << 20
MOST_PIXELS: Final = 9_000_000
"""Of what is sent: a screen of 3840 × 2160 fits. A kilobyte may say that it is an image of gigabytes."""
KINDS: Final = ("PNG", "JPEG", "WEBP")
"""No other decoder looks at what is sent, however it begins."""
MOST_SCANS: Final = 40
"""Of a progressive JPEG, which usually has ten. Each takes a pass over all of the image, however little is in it."""
_SCAN: Final = b"\xff\xda"
_QUALITY: Final = 85

NO_PICTURE: Final = "Send a PNG, JPEG or WebP image. SVG, GIF and others are not taken."
DAMAGED: Final = "The image cannot be read: it is damaged or incomplete."
TOO_MANY_PIXELS: Final = f"An image has at most {MOST_PIXELS:,} pixels, as 3000 × 3000: send a smaller one."
TOO_MANY_SCANS: Final = "The image is made of too many passes: save it as an ordinary one."


class NoPictureError(ValueError):
    """It cannot be drawn; what it says is for who sent it."""


def drawn(sent: bytes) -> bytes:
    """Its middle as a square of `SIDE`, upright, as a WebP without any metadata; NoPictureError.

    Of an animation, its first frame. Takes 40 ms of CPU usually; 400 ms, and 150 MB, at most.
    """
    decoded = _decoded(sent)
    # A canvas of our own: none of what Pillow remembers of the file (place, camera, colour profile, texts) is saved.
    canvas = Image.new(decoded.mode, (SIDE, SIDE))
    canvas.paste(ImageOps.fit(decoded, canvas.size, Image.Resampling.LANCZOS))
    written = io.BytesIO()
    canvas.save(written, "WEBP", quality=_QUALITY)
    return written.getvalue()


def _decoded(sent: bytes) -> Image.Image:
    """Upright, as RGB, or RGBA where something of it is transparent."""
    try:
        image = Image.open(io.BytesIO(sent), formats=KINDS)
        _check(image, sent)
        # JPEG can be decoded smaller than it is; others do not heed this.
        image.draft(None, (2 * SIDE, 2 * SIDE))
        ImageOps.exif_transpose(image, in_place=True)
        mode = "RGBA" if image.has_transparency_data else "RGB"
        return image if image.mode == mode else image.convert(mode)
    except NoPictureError:
        raise
    except UnidentifiedImageError:
        raise NoPictureError(NO_PICTURE) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise NoPictureError(TOO_MANY_PIXELS) from None
    except Exception as error:  # Decoders raise whatever comes of bytes that are not what they should be.
        raise NoPictureError(DAMAGED) from error


def _check(image: Image.Image, sent: bytes) -> None:
    """What its head says, before anything is decoded."""
    if image.width * image.height > MOST_PIXELS:
        raise NoPictureError(TOO_MANY_PIXELS)
    if image.format not in ("PNG", "WEBP") and sent.count(_SCAN) > MOST_SCANS:
        raise NoPictureError(TOO_MANY_SCANS)
