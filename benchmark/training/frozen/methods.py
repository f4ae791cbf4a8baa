"""The ways in which frozen layers can be computed, and which of them a run may take. Plain data: no Keras.

`keras` is float32 by Keras, `filtered` float32 with the leading 3 x 3 convolutions by Winograd's filtering, `bfloat16`
Keras again in that type. Which is fastest differs from processor to processor, so a trial of the machine decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from zoo.config.strict import Strict

Way = Literal["keras", "filtered", "bfloat16"]
WAYS: tuple[Way, ...] = get_args(Way)
WORDS: dict[str, str] = {
    "keras": "Keras in float32",
    "filtered": "Winograd's filtering in float32",
    "bfloat16": "Keras in bfloat16",
}

CLEARLY = 1.1
"""How many times faster a way must be to be preferred: more than the noise of a trial, so that choices repeat."""

TOLERANCE: dict[Way, float] = {"filtered": 1e-4, "bfloat16": 0.02}
"""How far features may be from those of Keras' float32: root mean square of the differences by that of the features."""

_Positive = Annotated[float, Field(gt=0)]


class Trial(Strict):
    """What a trial of this machine found, by way: `rates` in images per second, `speedups` over Keras' float32, and
    `differences` of the features from Keras' float32 (as TOLERANCE has them). A way that could not be computed is
    missing."""

    rates: dict[Way, _Positive]
    speedups: dict[Way, _Positive]
    differences: dict[Way, Annotated[float, Field(ge=0, allow_inf_nan=True)]]

    @model_validator(mode="after")
    def _whole(self) -> Trial:
        if "keras" not in self.rates or not self.rates.keys() == self.speedups.keys() == self.differences.keys():
            raise ValueError("a trial has a rate, a speed-up and a difference for the same ways, Keras' among them")
        return self

    def preferred(self, allowed: tuple[Way, ...]) -> list[Way]:
        """Of the `allowed` ways those worth taking, best first, `keras` last: each is CLEARLY faster than the next, and
        its features are those of float32 within TOLERANCE."""
        found: list[Way] = ["keras"]
        for way in WAYS[1:]:
            if way not in allowed or way not in self.rates or not self.differences[way] <= TOLERANCE[way]:
                continue
            if self.speedups[way] >= CLEARLY * self.speedups[found[0]]:
                found.insert(0, way)
        return found

    def why(self, way: Way, allowed: tuple[Way, ...]) -> str:
        """Why `way` is taken, in one sentence."""
        if way != "keras":
            return (
                f"{self.speedups[way]:.2f} times as fast as Keras in float32 in a trial of this machine "
                f"({self.rates[way]:.1f} against {self.rates['keras']:.1f} images/s)"
            )
        others = ", ".join(self._beside_keras(allowed))
        return f"nothing else was clearly faster in a trial of this machine ({others})"

    def _beside_keras(self, allowed: tuple[Way, ...]) -> Iterator[str]:
        for way in allowed:
            if way == "keras":
                continue
            if way not in self.rates:
                yield f"{way}: could not be computed"
            elif not self.differences[way] <= TOLERANCE[way]:
                yield f"{way}: features differ by {self.differences[way]:.2g}"
            else:
                yield f"{way}: {self.speedups[way]:.2f} times as fast"


@dataclass(frozen=True)
class Ways:
    """What a run may compute its frozen layers by: the ways in `order`, each with its reason; the first that fits the
    network is taken. Where it is `forced`, it fits every network that it can compute at all."""

    order: tuple[tuple[Way, str], ...]
    forced: bool = False

    @property
    def names(self) -> list[Way]:
        """The ways without the reasons."""
        return [way for way, _ in self.order]


FILTERED = Ways((("filtered", "asked for"), ("keras", "")), forced=True)
KERAS = Ways((("keras", "asked for"),), forced=True)
BFLOAT16 = Ways((("bfloat16", "asked for"),), forced=True)


def ways_of(
    precision: Literal["float32", "bfloat16", "auto"],
    prefix: Literal["auto", "keras", "filtered"],
    trial: Trial | Way | None,
) -> Ways:
    """What a protocol's `precision` and `prefix` allow, in the order that `trial` gives them.

    `trial` may be the name of a way that stands for one (ZOO_PREFIX), or None where the machine was not tried out.
    """
    if precision == "bfloat16":
        return BFLOAT16
    if prefix != "auto":
        return KERAS if prefix == "keras" else FILTERED
    if trial is None:
        return Ways((("keras", "no trial was run for this network"),))
    allowed = WAYS if precision == "auto" else ("keras", "filtered")
    if isinstance(trial, str):
        named = tuple((way, f"ZOO_PREFIX names {way}") for way in (trial,) if way in allowed and way != "keras")
        return Ways((*named, ("keras", f"ZOO_PREFIX names {trial}")))
    return Ways(tuple((way, trial.why(way, allowed)) for way in trial.preferred(allowed)))
