"""The methods that can compute frozen layers, and which of them a run may use. This module needs no Keras.

`keras` is Keras in float32. `filtered` is float32 with the leading 3 x 3 convolutions by Winograd's filtering.
`bfloat16` is Keras in that type. Which is fastest depends on the processor, so a trial on the machine decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from zoo.config.strict import Strict

PrefixMethod = Literal["keras", "filtered", "bfloat16"]
METHODS: tuple[PrefixMethod, ...] = get_args(PrefixMethod)
METHOD_LABELS: dict[str, str] = {
    "keras": "Keras in float32",
    "filtered": "Winograd's filtering in float32",
    "bfloat16": "Keras in bfloat16",
}

MIN_SPEEDUP = 1.1
"""How many times faster a method must be to be preferred. It exceeds the noise of a trial, so that choices repeat."""

TOLERANCE: dict[PrefixMethod, float] = {"filtered": 1e-4, "bfloat16": 0.02}
"""The largest allowed difference of features from Keras in float32: RMS of the differences over RMS of the features."""

_Positive = Annotated[float, Field(gt=0)]


class PrefixTrial(Strict):
    """The result of a trial of this machine. A method that could not be computed is missing.

    Attributes:
        rates: Images per second of each method.
        speedups: Speed of each method relative to Keras in float32.
        differences: Difference of its features from Keras in float32, in the unit of `TOLERANCE`.
    """

    rates: dict[PrefixMethod, _Positive]
    speedups: dict[PrefixMethod, _Positive]
    differences: dict[PrefixMethod, Annotated[float, Field(ge=0, allow_inf_nan=True)]]

    @model_validator(mode="after")
    def _complete(self) -> PrefixTrial:
        if "keras" not in self.rates or not self.rates.keys() == self.speedups.keys() == self.differences.keys():
            raise ValueError("a trial needs a rate, a speed-up and a difference for each method, including keras")
        return self

    def preferred(self, allowed: tuple[PrefixMethod, ...]) -> list[PrefixMethod]:
        """Return the methods that are worth using, best first.

        A method qualifies if its features are within `TOLERANCE` and it is `MIN_SPEEDUP` times as fast as the next one.

        Args:
            allowed: The methods that the protocol allows.

        Returns:
            The methods that qualify; the last one is always `keras`.
        """
        methods: list[PrefixMethod] = ["keras"]
        for method in METHODS[1:]:
            if method not in allowed or method not in self.rates or not self.differences[method] <= TOLERANCE[method]:
                continue
            if self.speedups[method] >= MIN_SPEEDUP * self.speedups[methods[0]]:
                methods.insert(0, method)
        return methods

    def explain(self, method: PrefixMethod, allowed: tuple[PrefixMethod, ...]) -> str:
        """Explain the choice of a method in one sentence.

        Args:
            method: The chosen method.
            allowed: The methods that the protocol allows.

        Returns:
            The sentence, without a full stop.
        """
        if method != "keras":
            return (
                f"{self.speedups[method]:.2f} times as fast as Keras in float32 in a trial of this machine "
                f"({self.rates[method]:.1f} against {self.rates['keras']:.1f} images/s)"
            )
        others = ", ".join(self._alternatives(allowed))
        return f"nothing else was clearly faster in a trial of this machine ({others})"

    def _alternatives(self, allowed: tuple[PrefixMethod, ...]) -> Iterator[str]:
        for method in allowed:
            if method == "keras":
                continue
            if method not in self.rates:
                yield f"{method}: could not be computed"
            elif not self.differences[method] <= TOLERANCE[method]:
                yield f"{method}: features differ by {self.differences[method]:.2g}"
            else:
                yield f"{method}: {self.speedups[method]:.2f} times as fast"


@dataclass(frozen=True)
class AllowedMethods:
    """The methods by which a run may compute its frozen layers. The first that fits the network is used.

    Attributes:
        order: The methods in order of preference, each with its reason.
        forced: Whether the protocol named the method, so that it is used for every network that it can compute.
    """

    order: tuple[tuple[PrefixMethod, str], ...]
    forced: bool = False

    @property
    def names(self) -> list[PrefixMethod]:
        """The methods without their reasons."""
        return [method for method, _ in self.order]


FILTERED = AllowedMethods((("filtered", "asked for"), ("keras", "")), forced=True)
KERAS = AllowedMethods((("keras", "asked for"),), forced=True)
BFLOAT16 = AllowedMethods((("bfloat16", "asked for"),), forced=True)


def allowed_methods(
    precision: Literal["float32", "bfloat16", "auto"],
    prefix: Literal["auto", "keras", "filtered"],
    trial: PrefixTrial | PrefixMethod | None,
) -> AllowedMethods:
    """Return the methods that a protocol allows, in the order that `trial` gives them.

    Args:
        precision: The protocol's `precision`.
        prefix: The protocol's `prefix`.
        trial: The trial of the machine, the method that ZOO_PREFIX names instead, or None without a trial.

    Returns:
        The methods and their reasons.
    """
    if precision == "bfloat16":
        return BFLOAT16
    if prefix != "auto":
        return KERAS if prefix == "keras" else FILTERED
    if trial is None:
        return AllowedMethods((("keras", "no trial was run for this network"),))
    allowed = METHODS if precision == "auto" else ("keras", "filtered")
    if isinstance(trial, str):
        reason = f"ZOO_PREFIX names {trial}"
        named = ((trial, reason),) if trial in allowed and trial != "keras" else ()
        return AllowedMethods((*named, ("keras", reason)))
    return AllowedMethods(tuple((method, trial.explain(method, allowed)) for method in trial.preferred(allowed)))
