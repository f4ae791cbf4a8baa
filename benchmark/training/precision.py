"""The precisions in which networks can be trained. This module needs no Keras."""

from __future__ import annotations

from typing import Literal

TrainingPrecision = Literal["float32", "bfloat16"]
