"""The choices of the protocol `auto` in lines, for the header of a bench and for the methods of a report."""

from __future__ import annotations

from benchmark.runs.protocol import Choice, Protocol

_PARTS = ("sampling.train", "sampling.val", "sampling.test")
_UNSET = {"max_epochs": "not capped"}


def choice_lines(protocol: Protocol) -> list[str]:
    """Lines that say what `auto` chose and why; choices with the same reason share a line.

    Args:
        protocol: Any protocol.

    Returns:
        One line per reason; empty if `auto` did not make the protocol.
    """
    names_by_reason: dict[str, list[str]] = {}
    for choice in protocol.choices:
        names_by_reason.setdefault(choice.why, []).append(in_words(choice))
    return [f"{', '.join(names)}: {why}" for why, names in names_by_reason.items()]


def protocol_lines(protocol: Protocol, expected: str | None = None) -> list[str]:
    """Short lines that name a protocol of `auto` with what it chose.

    Args:
        protocol: Any protocol.
        expected: The expected time of a benchmark, in place of that of the six cards that `auto` plans for.

    Returns:
        The lines; none if `auto` did not make the protocol. Folds are left out where a curve has one split instead.
    """
    by_field = {choice.field: choice for choice in protocol.choices}
    if not by_field:
        return []
    sizes = [f"{field.partition('.')[2]} {choice.value}" for field, choice in by_field.items() if field in _PARTS]
    lines = [
        expected if choice.field == "minutes" and expected is not None else f"{in_words(choice)}: {choice.why}"
        for choice in by_field.values()
        if _is_worth_a_line(choice) and not (choice.field == "test_folds" and protocol.test_folds is None)
    ]
    return [
        f"protocol {protocol.name}: conditions that fit the data; `zoo protocols auto --data SOURCE` shows all",
        f"  sizes about {', '.join(sizes)}, in the natural balance of the classes",
        *(f"  {line}" for line in lines),
    ]


def time_lines(expected: str | None) -> list[str]:
    """The expected time of runs as a line of its own, where no protocol is described; none if it is not known."""
    return [] if expected is None else [f"time: {expected}"]


def _is_worth_a_line(choice: Choice) -> bool:
    return choice.value is not None and not choice.field.startswith("sampling.")


def in_words(choice: Choice) -> str:
    """The field and the chosen value of a choice; `minutes` is no field, but what the choices are expected to cost."""
    value = _UNSET.get(choice.field, "none") if choice.value is None else choice.value
    if choice.field == "minutes":
        return f"about {value} min"
    return f"{choice.field} {'about ' if choice.field in _PARTS else ''}{value}"
