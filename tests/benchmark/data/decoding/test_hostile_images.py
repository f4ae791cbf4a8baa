"""Hostile image files: each is read, or listed with one line that says why not; nothing hangs, starts or is printed."""

from __future__ import annotations

import io
import os
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from benchmark.data.decoding.pixels import MOST_BYTES
from benchmark.data.sources.scan import Scanned, scan

GREY = Pillow.fromarray(np.random.default_rng(0).integers(0, 256, (24, 20), dtype=np.uint8))
READ = ""
"""What is said of a file that is read."""


def saved(kind: str, mode: str = "L", **options: object) -> bytes:
    buffer = io.BytesIO()
    GREY.convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, content: bytes, wrong: int = 0) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content) ^ wrong)


def png(
    width: int = 4,
    height: int = 4,
    rows: bytes | None = None,
    *more: bytes,
    depth: int = 8,
    colour: int = 0,
    interlaced: int = 0,
    ends: bool = True,
) -> bytes:
    """A PNG file of these chunks; `rows` are the filtered rows, zeros of the right length by default."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    content = bytes((width + 1) * height) if rows is None else rows
    chunks = [chunk(b"IHDR", header), *more, chunk(b"IDAT", zlib.compress(content))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + (chunk(b"IEND", b"") if ends else b"")


def tiff(*tags: tuple[int, int, int, int], following: int = 0, content: bytes = bytes(64)) -> bytes:
    """A little-endian TIFF file of one directory at 8, with pixels behind it."""
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags))
    return b"II*\x00" + struct.pack("<I", 8) + directory + struct.pack("<I", following) + content


def grey_tiff(*changes: tuple[int, int, int, int], following: int = 0) -> bytes:
    """4 x 4 grey pixels; `changes` replace tags."""
    tags = {256: (3, 1, 4), 257: (3, 1, 4), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1), 273: (4, 1, 200)}
    tags |= {278: (3, 1, 4), 279: (4, 1, 16)} | {tag: (kind, count, value) for tag, kind, count, value in changes}
    return tiff(*((tag, *rest) for tag, rest in tags.items()), following=following, content=bytes(400))


def jpeg(**header: bytes) -> bytes:
    """A JPEG file whose precision, height or width in its frame header is replaced."""
    content = bytearray(saved("JPEG"))
    start = content.index(b"\xff\xc0") + 4
    for name, value in header.items():
        place = start + {"precision": 0, "height": 1, "width": 3}[name]
        content[place : place + len(value)] = value
    return bytes(content)


def frames(kind: str) -> bytes:
    buffer = io.BytesIO()
    GREY.convert("RGB").save(buffer, kind, save_all=True, append_images=[GREY.convert("RGB").rotate(90)])
    return buffer.getvalue()


def exif(value: bytes) -> bytes:
    return saved("JPEG", exif=b"Exif\x00\x00" + value)


def float_tiff(value: float) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(np.array([[0, value]], np.float32)).save(buffer, "TIFF")
    return buffer.getvalue()


NO_IMAGE = "not an image"
CUT = "truncated"
FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "the file is empty"),
    "one byte": (b"\x89", NO_IMAGE),
    "text": (b"no image", NO_IMAGE),
    "markup": (b"<html><img src=x onerror=alert(1)></html>", NO_IMAGE),
    "EPS": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", NO_IMAGE),
    "PDF": (b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n", NO_IMAGE),
    "SVG": (b'<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>', NO_IMAGE),
    "DICOM": (bytes(128) + b"DICM" + bytes(64), "DICOM files are not read"),
    "archive": (b"PK\x03\x04" + bytes(60), NO_IMAGE),
    "program": (b"\x7fELF" + bytes(60), NO_IMAGE),
    "gzip": (b"\x1f\x8b\x08" + bytes(60), NO_IMAGE),
    "pickle": (b"\x80\x04\x95" + bytes(60), NO_IMAGE),
    "ICO": (saved("ICO"), NO_IMAGE),
    "TGA": (saved("TGA"), NO_IMAGE),
    "PCX": (saved("PCX"), NO_IMAGE),
    "PDF by Pillow": (saved("PDF"), NO_IMAGE),
    "half a PNG": (saved("PNG")[:200], CUT),
    "half a JPEG": (saved("JPEG")[:500], CUT),
    "half a TIFF": (saved("TIFF")[:200], CUT),
    "half a GIF": (saved("GIF")[:900], CUT),
    "half a BMP": (saved("BMP")[:1200], CUT),
    "half a WebP": (saved("WEBP", "RGB")[:100], "could not create decoder"),
    "PNG of its signature": (b"\x89PNG\r\n\x1a\n", NO_IMAGE),
    "PNG with a wrong checksum": (png().replace(b"IHDR", b"IHDS"), NO_IMAGE),
    "PNG without pixels": (png(rows=b""), CUT),
    "PNG without an end": (png(ends=False), READ),
    "PNG of no width": (png(width=0), NO_IMAGE),
    "PNG of 2^31 pixels a side": (png(2**31 - 1, 2**31 - 1, b""), "pixels; images of at most"),
    "PNG of 177 million pixels": (png(13_300, 13_300, b""), "pixels; images of at most"),
    "PNG that unpacks to more": (png(rows=bytes(10**7)), READ),
    "PNG with a text that unpacks to 100 MB": (
        png(4, 4, None, chunk(b"zTXt", b"a\x00\x00" + zlib.compress(bytes(10**8), 9))),
        "Decompressed",
    ),
    "PNG with a broken profile": (png(4, 4, None, chunk(b"iCCP", b"x\x00\x00broken")), READ),
    "PNG with a colour beyond its palette": (
        png(4, 4, b"\x00\xff\xff\xff\xff" * 4, chunk(b"PLTE", b"abc"), colour=3),
        READ,
    ),
    "PNG without a palette": (png(colour=3), READ),
    "PNG with a transparent level": (png(4, 4, None, chunk(b"tRNS", b"\x00\x00")), READ),
    "PNG of an unknown depth": (png(depth=7), NO_IMAGE),
    "PNG of an unknown filter": (png(rows=b"\x09\x00\x00\x00\x00" * 4), "unrecognized data stream"),
    "PNG with garbage behind it": (png() + b"garbage" * 100, READ),
    "PNG of 16 bits in colour": (png(2, 2, bytes(2 * 13), depth=16, colour=2), READ),
    "PNG, interlaced, of too few rows": (png(9, 9, bytes(20), interlaced=1), READ),
    "animated PNG": (frames("PNG"), READ),
    "animated GIF": (frames("GIF"), READ),
    "animated WebP": (frames("WEBP"), READ),
    "TIFF of two pages": (frames("TIFF"), READ),
    "JPEG for print": (saved("JPEG", "CMYK"), READ),
    "JPEG of 12 bits": (jpeg(precision=b"\x0c"), NO_IMAGE),
    "JPEG of no height": (jpeg(height=b"\x00\x00"), NO_IMAGE),
    "JPEG of 4 thousand million pixels": (jpeg(height=b"\xff\xdc", width=b"\xff\xdc"), "pixels; images of at most"),
    "JPEG with broken metadata": (exif(b"II*\x00\xff\xff\xff\xff"), READ),
    "JPEG of an unknown orientation": (exif(grey_tiff((274, 3, 1, 99))), READ),
    "TIFF of no number": (float_tiff(float("nan")), "NaN"),
    "TIFF of infinity": (float_tiff(float("inf")), "NaN or infinite"),
    "TIFF whose directory follows itself": (grey_tiff(following=8), READ),
    "TIFF with a strip of two": (grey_tiff((278, 3, 1, 2)), "truncated: the file has 8 of 16 pixels"),
    "TIFF with one channel of three": (
        grey_tiff((262, 3, 1, 2), (277, 3, 1, 3), (284, 3, 1, 2)),
        "truncated: the file has 16 of 48 pixels in 3 channels",
    ),
    "TIFF with three channels apart": (
        grey_tiff((262, 3, 1, 2), (273, 4, 3, 300), (277, 3, 1, 3), (284, 3, 1, 2)),
        READ,
    ),
    "TIFF of 510 bytes for 115 million pixels": (
        grey_tiff((256, 3, 1, 10), (257, 4, 1, 11_534_348), (258, 3, 1, 16), (278, 3, 1, 12)),
        "truncated: the file has 120 of 115,343,480 pixels",
    ),
    "TIFF of an unknown compression": (grey_tiff((259, 3, 1, 54321)), NO_IMAGE),
    "TIFF of 2^32 rows": (grey_tiff((257, 4, 1, 2**32 - 1)), "pixels; images of at most"),
    "TIFF with pixels behind its end": (grey_tiff((273, 4, 1, 2**31)), CUT),
    "TIFF with a tag of 4 GiB": (grey_tiff((700, 1, 2**32 - 1, 8)), READ),
    "TIFF without a directory": (b"II*\x00\x00\x00\x00\x00", NO_IMAGE),
    "BMP of 2^31 columns": (saved("BMP")[:18] + b"\xff\xff\xff\x7f" + saved("BMP")[22:], "pixels; images of at most"),
    "PPM of a negative width": (b"P5 -4 4 255\n" + bytes(16), NO_IMAGE),
    "PPM of 10^9 columns": (b"P5 1000000000 4 255\n" + bytes(16), "pixels; images of at most"),
    "PPM of 70,000 levels": (b"P5 4 4 70000\n" + bytes(32), "maxval"),
    "GIF of no size": (b"GIF89a" + bytes(7) + b";", NO_IMAGE),
    "WebP of a wrong length": (b"RIFF\xff\xff\xff\xffWEBPVP8 " + bytes(30), "could not create decoder"),
}
"""Files by what is wrong with them, each with a part of its line."""


def pipe(path: Path) -> None:
    os.mkfifo(path)


def too_large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(MOST_BYTES + 1)  # no byte of it takes room


OTHERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "pipe": (pipe, "not a regular file"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
    "link to itself": (lambda path: path.symlink_to(path), "symbolic links"),
    "link to nothing": (lambda path: path.symlink_to("/nowhere/at-all"), "No such file"),
    "folder": (Path.mkdir, "not a regular file"),
    "file of half a GiB": (too_large, "files of at most"),
}
"""What is no file of an image, made at a path."""


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Scanned]:
    folder = tmp_path_factory.mktemp("hostile")
    paths = {}
    for number, (name, (content, _)) in enumerate(FILES.items()):
        paths[name] = folder / f"{number}.png"
        paths[name].write_bytes(content)
    for name, (make, _) in OTHERS.items():
        paths[name] = folder / f"{name}.png"
        make(paths[name])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_CACHE_DIR", str(folder / "cache"))
        patch.setenv("PATH", "")
        begin = time.process_time()
        scanned = dict(zip(paths, scan(folder, list(paths.values())), strict=True))
        assert time.process_time() - begin < 20
    return scanned


@pytest.mark.parametrize("name", [*FILES, *OTHERS])
def test_a_hostile_file_is_read_or_listed_with_one_line(scans: dict[str, Scanned], name: str) -> None:
    (_, says), scanned = (FILES | OTHERS)[name], scans[name]
    assert (scanned.stored is None) == bool(says)
    if scanned.reason is not None:
        assert says in scanned.reason
        assert len(scanned.reason) < 200
        assert scanned.reason.isprintable()


def test_there_are_sixty() -> None:
    assert len(FILES) + len(OTHERS) >= 60
