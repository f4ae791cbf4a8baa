"""Which images were held out for the test, in words."""

from __future__ import annotations

from benchmark.runs.run import DatasetFacts


def held_out_images(facts: DatasetFacts) -> str | None:
    """The images that the user held out: `site C`, or `the images with a=b=c`; None if no column named them."""
    if facts.hold_out is None:
        return None
    column, _, value = facts.hold_out.partition("=")
    return f"the images with {facts.hold_out}" if "=" in value else f"{column} {value}"


def other_images(facts: DatasetFacts) -> str | None:
    """The images to train and validate on: `every other site`; None if no column named the test images."""
    if facts.hold_out is None:
        return None
    column, _, value = facts.hold_out.partition("=")
    return "all others" if "=" in value else f"every other {column}"


def hold_out_text(facts: DatasetFacts) -> str | None:
    """Where test, train and validation images come from, without an end; None if no column named the test images."""
    if facts.hold_out is None:
        return None
    return f"tested on {held_out_images(facts)}, trained and validated on {other_images(facts)}"
