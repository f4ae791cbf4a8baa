"""Types of parameters that several builders share."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Share = Annotated[float, Field(ge=0, lt=1)]
Units = Annotated[int, Field(gt=0, le=100_000)]
