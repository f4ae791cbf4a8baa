"""The methods by which training computes wide convolutions, and which of them a run uses. This module needs no Keras.

`direct` sums as a convolution is defined. `filtered` computes 3 x 3 convolutions and their gradients by Winograd's
filtering, in float32. Which is faster depends on the processor, so a trial on the machine decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from benchmark.training.frozen.methods import MIN_SPEEDUP
from zoo.config.strict import Strict

ConvolutionMethod = Literal["direct", "filtered"]
CONVOLUTION_LABELS: dict[str, str] = {
    "direct": "computed directly",
    "filtered": "computed by Winograd's filtering in float32",
}

TOLERANCE = 1e-4
"""The largest allowed difference of filtered from direct results: RMS of the differences over RMS of the results."""

_Positive = Annotated[float, Field(gt=0)]


class ConvolutionTrial(Strict):
    """The result of a trial of this machine.

    Attributes:
        direct: Seconds of a step of training by direct convolutions.
        filtered: Seconds of the same step by filtered convolutions.
        difference: The largest difference of outputs and gradients, in the unit of `TOLERANCE`.
    """

    direct: _Positive
    filtered: _Positive
    difference: Annotated[float, Field(ge=0)]

    @property
    def chosen(self) -> ChosenConvolutions:
        """The method that this machine should use, and why."""
        speedup = self.direct / self.filtered
        measured = f"{speedup:.2f} times as fast as direct convolutions in a trial of this machine"
        if not self.difference <= TOLERANCE:
            return ChosenConvolutions("direct", f"filtered results differ by {self.difference:.2g}")
        if speedup < MIN_SPEEDUP:
            return ChosenConvolutions("direct", f"filtered ones are {measured}")
        return ChosenConvolutions("filtered", measured)


@dataclass(frozen=True)
class ChosenConvolutions:
    """How a run computes wide convolutions in training.

    Attributes:
        method: The method.
        reason: Why it was chosen, as the end of a sentence.
    """

    method: ConvolutionMethod
    reason: str


def chosen_convolutions(
    protocol: Literal["auto", "direct", "filtered"], trial: ConvolutionTrial | ConvolutionMethod | None
) -> ChosenConvolutions:
    """Return how a run computes wide convolutions in training.

    Args:
        protocol: The protocol's `training_convolutions`.
        trial: The trial of the machine, the method that ZOO_CONVOLUTIONS names instead, or None without a trial.

    Returns:
        The method and its reason.
    """
    if protocol != "auto":
        return ChosenConvolutions(protocol, "asked for")
    if trial is None:
        return ChosenConvolutions("direct", "there is no trial of this machine")
    if isinstance(trial, ConvolutionTrial):
        return trial.chosen
    return ChosenConvolutions(trial, f"ZOO_CONVOLUTIONS names {trial}")
