"""Mutations of bytes and of plain data, decided by a random generator with a seed."""

from __future__ import annotations

import copy
import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any

INTEGERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 10**9, 2**63 - 1, -(2**63), 0.0, -0.0, 0.5, 1.5, -1.5, 1e-300, 1e300, 1e-9),
    *("", " ", "a", "A", "0", "1e3", "nan", "null", "true", "..", "../..", "/", "~", "é", "\u202e", "\x00", "\ud7ff"),
    *("x" * 300, "line\nline", "=1+1", "{x}", "%s", "a.b", "recipe.epochs", "attempt-1", "auc", "test", "vgg16"),
    *([], [[]], {}, {"": 1}, [None], [1, 1], ["a", "a"], {"a": {"a": {"a": 1}}}, [0.9, 0.1], {"name": "x"}),
)
Place = tuple[Any, ...]
_DEEPEST = 60


def mutate_bytes(data: bytes, chance: random.Random, others: list[bytes]) -> bytes:
    """Change bytes in one to four ways.

    Args:
        data: The bytes.
        chance: Decides.
        others: Files from which parts are taken.

    Returns:
        Other bytes; they may be equal by chance.
    """
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        if not changed:
            return b""
        start = chance.randrange(len(changed))
        end = min(len(changed), start + chance.choice((1, 1, 2, 4, 8, 32, 256)))
        match chance.randrange(9):
            case 0:
                changed[start] ^= 1 << chance.randrange(8)
            case 1:
                changed[start] = chance.randrange(256)
            case 2:
                del changed[start:end]
            case 3:
                changed[end:end] = changed[start:end] * chance.choice((1, 2, 50))
            case 4:
                changed[start:end] = chance.randbytes(end - start)
            case 5:
                del changed[start:]
            case 6:
                form = chance.choice(("<H", ">H", "<I", ">I"))
                number = chance.choice(INTEGERS) % (2**16 if form[1] == "H" else 2**32)
                changed[start : start + struct.calcsize(form)] = struct.pack(form, number)
            case 7:
                other = chance.choice(others)
                cut = chance.randrange(len(other) + 1)
                changed[start:end] = other[cut : cut + chance.choice((4, 64, 1024))]
            case _:
                changed[start:end] = bytes([chance.choice((0, 0xFF, 0x20, 0x0A))]) * (end - start)
    return bytes(changed)


def mutate_png(data: bytes, chance: random.Random, others: list[bytes]) -> bytes:
    """Change the content of a chunk of a PNG file and compute its checksum again, so that decoders read it.

    Args:
        data: The file.
        chance: Decides.
        others: Files from which parts are taken.

    Returns:
        Another file.
    """
    chunks, place = [], 8
    while place + 12 <= len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        chunks.append((data[place + 4 : place + 8], data[place + 8 : place + 8 + length]))
        place += 12 + length
    if not chunks:
        return mutate_bytes(data, chance, others)
    number = chance.randrange(len(chunks))
    kind, content = chunks[number]
    if kind == b"IDAT" and chance.random() < 0.5:
        content = zlib.compress(mutate_bytes(_inflated(content), chance, others))
    else:
        content = mutate_bytes(content or b"\x00", chance, others)
    chunks[number] = (chance.choice((kind, kind, kind, b"tRNS", b"PLTE", b"eXIf", b"acTL", b"zTXt")), content)
    if chance.random() < 0.2:
        chance.shuffle(chunks)
    return data[:8] + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def mutate_archive(data: bytes, chance: random.Random, others: list[bytes]) -> bytes:
    """Change, rename, drop or repeat a member of a ZIP archive, with right checksums.

    Args:
        data: The archive.
        chance: Decides.
        others: Files from which parts are taken.

    Returns:
        Another archive.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    except Exception:
        return mutate_bytes(data, chance, others)
    name = chance.choice(sorted(members))
    match chance.randrange(6):
        case 0:
            del members[name]
        case 1:
            members[chance.choice(sorted(members))] = members[name]
        case 2:
            members[f"{name}x"] = members.pop(name)
        case 3:
            head = members[name][:128]
            members[name] = mutate_bytes(head, chance, others) + members[name][128:]
        case _:
            members[name] = mutate_bytes(members[name], chance, others)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return buffer.getvalue()


def _inflated(content: bytes) -> bytes:
    try:
        return zlib.decompress(content) or b"\x00"
    except zlib.error:
        return content or b"\x00"


def places(data: Any, before: Place = ()) -> Iterator[Place]:
    """The places of all values in plain data, each as its keys and indices."""
    inside = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in inside:
        yield (*before, key)
        yield from places(value, (*before, key))


def at(data: Any, place: Place) -> Any:
    """The value at a place of plain data."""
    for key in place:
        data = data[key]
    return data


def mutate_tree(data: Any, chance: random.Random) -> Any:
    """Change plain data at one to three places: another value, no value, another key, a part of elsewhere.

    Args:
        data: Mappings, lists, numbers and texts; it is not changed.
        chance: Decides.

    Returns:
        Other data.
    """
    changed = copy.deepcopy(data)
    for _ in range(chance.choice((1, 1, 2, 3))):
        where = list(places(changed))
        if not where:
            return chance.choice(VALUES)
        *outer, key = chance.choice(where)
        inside = at(changed, tuple(outer))
        match chance.randrange(8):
            case 0:
                del inside[key]
            case 1 if isinstance(inside, dict):
                inside[str(chance.choice((*VALUES, f"{key}s", key.upper())))] = inside.pop(key)
            case 2:
                inside[key] = copy.deepcopy(at(changed, chance.choice(where)))
            case 3:
                inside[key] = [inside[key]] * chance.choice((1, 2, 40))
            case 4 if isinstance(inside, list):
                inside.insert(0, copy.deepcopy(inside[key]))
            case 5:
                for _ in range(chance.choice((1, 5, _DEEPEST))):
                    inside[key] = chance.choice(({"a": inside[key]}, [inside[key]]))
            case _:
                inside[key] = _near(inside[key], chance)
    return changed


def _near(value: Any, chance: random.Random) -> Any:
    """A value that resembles `value`, or any other."""
    near: list[Callable[[], Any]] = [lambda: copy.deepcopy(chance.choice(VALUES))]
    if isinstance(value, int | float):
        near += [lambda: -value, lambda: value + 1, lambda: value * 1000, lambda: str(value), lambda: float(value) / 3]
    if isinstance(value, str):
        near += [lambda: value * 2, lambda: value[:-1], lambda: [value], lambda: value + chance.choice(" \n.\x7f'é")]
    return chance.choice(near)()


def as_text(data: Any) -> str:
    """Plain data as JSON, which is YAML too."""
    return json.dumps(data, ensure_ascii=False, default=str)


def smaller_bytes(data: bytes) -> Iterator[bytes]:
    """Shorter versions of bytes, the shortest first."""
    size = len(data) // 2
    while size:
        for start in range(0, len(data), size):
            yield data[:start] + data[start + size :]
        size //= 2


def smaller_trees(data: Any) -> Iterator[Any]:
    """Plain data without one of its parts, those with the largest part missing first."""
    for place in sorted(places(data), key=len):
        changed = copy.deepcopy(data)
        *outer, key = place
        del at(changed, tuple(outer))[key]
        yield changed
