"""Image files of every common mode decode to the grey levels they hold, and are resized without aliasing."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

import benchmark.data.decoding.pixels as bounds
from benchmark.data.decoding.pixels import decode, decode_other, is_grey, look, read_content, resize
from benchmark.data.levels import Stored
from tests.support.images import noise


def encoded(image: Pillow.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def palette() -> Pillow.Image:
    image = Pillow.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    return image


def sixteen_bit(value: int) -> Pillow.Image:
    return Pillow.fromarray(np.full((4, 4), value, np.uint16))


def big_endian(value: int) -> Pillow.Image:
    return Pillow.frombytes("I;16B", (4, 4), value.to_bytes(2, "big") * 16)


@pytest.mark.parametrize(
    ("content", "level"),
    [
        pytest.param(encoded(Pillow.new("L", (4, 4), 100), "PNG"), 100, id="grey"),
        pytest.param(encoded(Pillow.new("L", (4, 4), 100), "JPEG", quality=100), 100, id="grey JPEG"),
        pytest.param(encoded(Pillow.new("1", (4, 4), 1), "PNG"), 255, id="bilevel white"),
        pytest.param(encoded(Pillow.new("1", (4, 4), 0), "PNG"), 0, id="bilevel black"),
        pytest.param(encoded(sixteen_bit(200 * 257), "PNG"), 200, id="16-bit PNG"),
        pytest.param(encoded(sixteen_bit(65535), "PNG"), 255, id="16-bit white"),
        pytest.param(encoded(sixteen_bit(200), "PNG"), 200, id="8-bit levels in 16 bits"),
        pytest.param(encoded(sixteen_bit(4095), "PNG"), 255, id="12-bit white"),
        pytest.param(encoded(Pillow.new("F", (4, 4), 200.0), "TIFF"), 200, id="8-bit levels as floats"),
        pytest.param(encoded(Pillow.new("F", (4, 4), 1.0), "TIFF"), 255, id="shares of white"),
        pytest.param(encoded(Pillow.new("I", (4, 4), 77), "TIFF"), 77, id="8-bit levels in 32 bits"),
        pytest.param(encoded(sixteen_bit(77 * 257), "TIFF"), 77, id="16-bit TIFF"),
        pytest.param(encoded(big_endian(77 * 257), "TIFF"), 77, id="big-endian TIFF"),
    ],
)
def test_a_grey_file_decodes_to_its_level(content: bytes, level: int) -> None:
    image = decode(content)
    assert image.mode == "L"
    assert np.unique(np.asarray(image)).tolist() == [level]


@pytest.mark.parametrize(
    ("content", "colour"),
    [
        pytest.param(encoded(Pillow.new("RGB", (4, 4), (10, 20, 30)), "PNG"), (10, 20, 30), id="RGB"),
        pytest.param(encoded(Pillow.new("RGBA", (4, 4), (10, 20, 30, 255)), "PNG"), (10, 20, 30), id="opaque RGBA"),
        pytest.param(encoded(palette(), "PNG"), (10, 20, 30), id="palette"),
        pytest.param(encoded(palette(), "GIF"), (10, 20, 30), id="GIF"),
        pytest.param(encoded(Pillow.new("CMYK", (4, 4), (0, 0, 0, 155)), "TIFF"), (100, 100, 100), id="CMYK"),
        pytest.param(
            encoded(Pillow.new("CMYK", (16, 16), (0, 0, 0, 155)), "JPEG", quality=100), (100, 100, 100), id="CMYK JPEG"
        ),
    ],
)
def test_a_colour_file_decodes_to_its_colour(content: bytes, colour: tuple[int, int, int]) -> None:
    image = decode(content)
    assert image.mode == "RGB"
    assert image.getpixel((0, 0)) == colour


@pytest.mark.parametrize(
    ("content", "colour"),
    [
        pytest.param(encoded(Pillow.new("RGBA", (4, 4), (200, 100, 50, 128)), "PNG"), (100, 50, 25), id="RGBA"),
        pytest.param(encoded(Pillow.new("RGBA", (4, 4), (200, 100, 50, 0)), "PNG"), (0, 0, 0), id="clear RGBA"),
        pytest.param(encoded(Pillow.new("LA", (4, 4), (200, 128)), "PNG"), (100, 100, 100), id="LA"),
        pytest.param(encoded(palette(), "PNG", transparency=1), (0, 0, 0), id="clear palette"),
        pytest.param(
            encoded(Pillow.new("RGB", (4, 4), (9, 8, 7)), "PNG", transparency=(9, 8, 7)), (0, 0, 0), id="clear RGB"
        ),
    ],
)
def test_transparent_pixels_are_laid_on_black(content: bytes, colour: tuple[int, int, int]) -> None:
    assert decode(content).getpixel((0, 0)) == colour


def test_levels_are_scaled_as_the_source_says_whatever_the_file_holds() -> None:
    levels = np.array([[0, 512], [1024, 4095]], np.uint16)
    deep = encoded(Pillow.fromarray(levels), "PNG")
    assert np.asarray(decode(deep, {"16-bit": (0, 65535)})).tolist() == [[0, 2], [4, 16]]
    assert np.asarray(decode(deep, {"16-bit": (512, 1024)})).tolist() == [[0, 0], [255, 255]]
    floats = encoded(Pillow.fromarray(levels.astype(np.float32)), "TIFF")
    assert np.asarray(decode(floats, {"float": (0, 4095)})).tolist() == [[0, 32], [64, 255]]


def test_a_large_deep_image_is_scaled_like_a_small_one() -> None:
    levels = np.arange(300 * 300, dtype=np.uint16).reshape(300, 300) % 4096
    large = np.asarray(decode(encoded(Pillow.fromarray(levels), "PNG")))
    small = np.asarray(decode(encoded(Pillow.fromarray(levels[:40]), "PNG"), {"16-bit": (0, 4095)}))
    assert np.array_equal(large[:40], small)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_level_that_is_no_number_makes_no_image(value: float) -> None:
    image = Pillow.fromarray(np.array([[1, 2], [3, value]], np.float32))
    with pytest.raises(ValueError, match="NaN or infinite"):
        decode(encoded(image, "TIFF"))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_upright_by_its_exif_orientation(kind: str, orientation: int) -> None:
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the transposes of Pillow that lay an upright picture down
    upright = Pillow.new("L", (40, 24), 20)
    upright.paste(220, (0, 0, 20, 12))
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    lying = upright if orientation == 1 else upright.transpose(Pillow.Transpose(back[orientation]))
    content = encoded(lying, kind, exif=exif)
    shown = np.asarray(decode(content).convert("L"), int)
    assert shown.shape == (24, 40)
    assert np.abs(shown - np.asarray(upright, int)).mean() < 4
    stored = look(content)
    assert (stored.width, stored.height, stored.reoriented) == (40, 24, orientation > 1)


def test_damaged_exif_does_not_hide_a_picture() -> None:
    content = encoded(noise(1), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert decode(content).size == (12, 12)


def test_a_program_is_never_started_for_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gs").write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    (tmp_path / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    file = io.BytesIO()
    Pillow.new("RGB", (9, 9), (1, 2, 3)).save(file, "EPS")
    with pytest.raises(OSError, match="cannot identify"):
        decode(file.getvalue())
    assert not (tmp_path / "started").exists()


def test_dicom_is_named_with_what_to_do() -> None:
    with pytest.raises(ValueError, match="DICOM files are not read; convert them to PNG or TIFF"):
        decode(bytes(128) + b"DICM" + bytes(100))


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    content = encoded(Pillow.new("L", (2000, 1001), 9), "PNG")
    with pytest.raises(ValueError, match="2000 x 1001 pixels; images of at most 2 million pixels are read"):
        decode_other(content[:200], {}, 2_000_000)  # its header is enough
    assert decode_other(encoded(Pillow.new("L", (2000, 1000), 9), "PNG"), {}, 2_000_000)[0].size == (2000, 1000)
    header = bytearray(encoded(Pillow.new("L", (8, 8), 9), "PNG"))
    header[16:24] = struct.pack(">II", 60_000, 60_000)
    header[29:33] = struct.pack(">I", zlib.crc32(header[12:29]))
    with pytest.raises(ValueError, match="60000 x 60000 pixels; images of at most"):
        decode(bytes(header))


@pytest.mark.slow
def test_a_large_image_is_read_without_a_word_of_pillow(capfd: pytest.CaptureFixture[str]) -> None:
    assert look(encoded(Pillow.new("1", (10_000, 9_500)), "PNG")).width == 10_000
    assert capfd.readouterr().err == ""


def test_an_error_of_pillow_is_raised_and_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    entries = {256: 4, 257: 4, 258: 8, 259: 1, 262: 1, 273: 200, 277: 197}  # 277: samples per pixel
    tags = b"".join(struct.pack("<HHII", tag, 3, 1, value) for tag, value in entries.items())
    content = b"II*\x00\x08\x00\x00\x00" + struct.pack("<H", len(entries)) + tags + bytes(400)
    with pytest.raises(OSError, match="cannot identify image file"):
        look(content)
    assert caplog.records == []


@pytest.mark.parametrize(("kind", "mode"), [("GIF", "L"), ("TIFF", "L"), ("WEBP", "RGB"), ("PNG", "L")])
def test_the_first_of_several_frames_is_read(kind: str, mode: str) -> None:
    frames = [Pillow.new(mode, (16, 16), colour) for colour in ("#404040", "#c0c0c0", "#202020")]
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    assert look(content).more
    assert np.abs(np.asarray(decode(content).convert("L"), int) - 0x40).max() <= 2
    assert not look(encoded(frames[0], kind)).more


def test_what_is_stored_is_told() -> None:
    deep = encoded(Pillow.fromarray(np.array([[3, 900], [4, 1700]], np.uint16)), "PNG")
    assert look(deep) == Stored("PNG", "I;16", "16-bit", 3, 1700, 2, 2, False, False, False, len(deep))
    colour = encoded(Pillow.new("RGB", (5, 4), (10, 20, 30)), "BMP")
    assert look(colour) == Stored("BMP", "RGB", "8-bit", 10, 30, 5, 4, False, False, True, len(colour))


def test_a_file_is_read_only_where_it_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    for name in ("pipe", "link"):
        with pytest.raises(ValueError, match="not a regular file"):
            read_content(tmp_path / name)
    (tmp_path / "empty").touch()
    with pytest.raises(ValueError, match="empty"):
        read_content(tmp_path / "empty")
    monkeypatch.setattr(bounds, "MOST_BYTES", 2**20)
    (tmp_path / "large").write_bytes(bytes(2**20 + 1))
    with pytest.raises(ValueError, match="files of at most 1 MiB are read"):
        read_content(tmp_path / "large")
    (tmp_path / "whole").write_bytes(b"whole")
    assert read_content(tmp_path / "whole") == b"whole"


def test_an_empty_file_is_no_image() -> None:
    with pytest.raises(ValueError, match="empty"):
        decode(b"")


def test_text_is_no_image() -> None:
    with pytest.raises(OSError, match="cannot identify"):
        decode(b"no image at all")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_a_cut_off_file_is_no_image(kind: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    content = encoded(Pillow.fromarray(pixels), kind)
    with pytest.raises((OSError, ValueError, SyntaxError)):
        decode(content[: len(content) // 2])


def test_equal_channels_are_grey() -> None:
    assert is_grey(Pillow.new("RGB", (4, 4), (50, 50, 50)))
    assert is_grey(Pillow.new("L", (4, 4), 50))


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_one_pixel_of_colour_is_colour(channel: int) -> None:
    colour = [50, 50, 50]
    colour[channel] = 51
    image = Pillow.new("RGB", (4, 4), (50, 50, 50))
    image.putpixel((3, 2), tuple(colour))
    assert not is_grey(image)


def test_a_grey_file_saved_in_colour_is_grey_after_jpeg() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8)
    image = Pillow.fromarray(pixels).convert("RGB")
    assert is_grey(decode(encoded(image, "JPEG", quality=80)))


@pytest.mark.parametrize("channels", [1, 3])
def test_resizing_gives_the_side_and_channels_asked_for(channels: Any) -> None:
    for image in (Pillow.new("L", (20, 10), 90), Pillow.new("RGB", (20, 10), (90, 90, 90))):
        small = resize(image, 5, channels)
        assert small.shape == (5, 5, channels)
        assert small.dtype == np.uint8
        assert (small == 90).all()


def test_resizing_down_averages_fine_detail() -> None:
    checks = np.indices((64, 64)).sum(axis=0) % 2 * 255
    small = resize(Pillow.fromarray(checks.astype(np.uint8)), 8, 1)
    assert 120 <= small.min() <= small.max() <= 135


def test_resizing_does_not_keep_the_aspect_ratio() -> None:
    wide = np.zeros((10, 40), np.uint8)
    wide[:, 20:] = 200
    square = resize(Pillow.fromarray(wide), 10, 1)[..., 0]
    assert (square[:, :4] == 0).all()
    assert (square[:, 6:] == 200).all()


def test_resizing_keeps_colours_apart() -> None:
    assert resize(Pillow.new("RGB", (9, 9), (10, 20, 30)), 3, 3)[1, 1].tolist() == [10, 20, 30]


def test_an_image_of_the_right_size_is_left_as_it_is() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16), dtype=np.uint8)
    assert np.array_equal(resize(Pillow.fromarray(pixels), 16, 1)[..., 0], pixels)


def test_levels_beyond_those_of_training_are_named_and_depths_have_their_levels() -> None:
    """12-bit data in 16-bit files: the same depth of the file, and another when levels are multiplied by 16."""
    twelve = np.arange(0, 4096, 16, dtype=np.uint16).reshape(16, 16)
    training = {"16-bit": (0.0, 4095.0)}
    assert decode_other(encoded(Pillow.fromarray(twelve), "PNG"), training)[1] is None
    as_trained = np.asarray(decode(encoded(Pillow.fromarray(twelve), "PNG"), training))
    for factor, white in ((4, 16383), (16, 65535)):
        image, note = decode_other(encoded(Pillow.fromarray(twelve * factor), "PNG"), training)
        assert note == (
            f"levels 0..{4080 * factor} are those of another bit depth than 16-bit (levels 0..4095) of the training "
            f"images; 0..{white} is read as 0..255"
        )
        difference = np.abs(
            np.asarray(image).astype(int) - np.asarray(decode(encoded(Pillow.fromarray(twelve), "PNG")))
        )
        assert difference.max() <= 1
    marked = twelve.copy()
    marked[0, :12] = 65535  # a burned-in mark on 4.7% of the pixels leaves the others as they are
    image, note = decode_other(encoded(Pillow.fromarray(marked), "PNG"), training)
    assert note == "levels 192..65535 exceed those of the training images, 0..4095: 4.7% of the pixels are clipped"
    assert np.array_equal(np.asarray(image)[1:], as_trained[1:])
    eight = decode_other(encoded(Pillow.new("L", (16, 16), 9), "PNG"), training)[1]
    assert eight == "8-bit, trained on 16-bit (levels 0..4095) images"
