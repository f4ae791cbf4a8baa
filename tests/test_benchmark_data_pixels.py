"""Image files of every common mode decode to the grey levels they hold, and are resized without aliasing."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from benchmark.data.pixels import decode, is_grey, resize


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
        pytest.param(encoded(sixteen_bit(200), "PNG"), 1, id="16-bit dark"),
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


def test_float_grey_is_scaled_by_its_own_range() -> None:
    image = Pillow.fromarray(np.array([[1, 2], [3, 5]], np.float32))
    assert np.asarray(decode(encoded(image, "TIFF"))).tolist() == [[0, 64], [128, 255]]


def test_flat_float_grey_is_black() -> None:
    image = Pillow.fromarray(np.full((2, 2), 7.0, np.float32))
    assert not np.asarray(decode(encoded(image, "TIFF"))).any()


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
