"""What a command registers before it opens the test split, and what it records of its scores at the end, as data.

Both kinds of entry form one chain: each contains the digest of the entry before it.
`benchmark.runs.storage.beside.chain` keeps them as files.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from benchmark.runs.run import DatasetFacts, RunSpec, Sha256
from zoo.config.strict import Strict

ENTRY_VERSION = 2
"""Raised when the structure of an entry changes."""


class RegisteredClaims(Strict):
    """A claims file as it was registered.

    Attributes:
        name: Its name.
        digest: Digest of `items`.
        items: Digest of each claim by its id, such as `row NAME` or `statement ID`, and of the rules that judge them.
        content: The claims as plain data, from which verdicts can be computed again.
    """

    name: str
    digest: Sha256
    items: dict[str, Sha256]
    content: dict[str, Any]


class RegisteredRun(Strict):
    """A run that was planned.

    Attributes:
        card: The name of its card.
        seed: Its seed.
        fold: Number of folds and index of a fold, as in `RunSpec`.
        images: Number of training images of a run of a curve; None for all.
        stored: Whether the store already contained its scores.
    """

    card: str
    seed: int
    fold: tuple[int, int] | None = None
    images: int | None = None
    stored: bool


class RegisteredProtocol(Strict):
    """The protocol of the planned runs.

    Attributes:
        name: Its name.
        digest: Digest of `fields`.
        fields: Its result fields, as run ids hash them.
        rule: How the threshold, or the decision among three or more classes, is chosen on validation, in words.
    """

    name: str
    digest: Sha256
    fields: dict[str, Any]
    rule: str


class RegisteredData(Strict):
    """The data of the planned runs; the attributes are those of `DatasetFacts`."""

    source: str
    title: str
    classes: tuple[str, ...]
    fingerprint: str
    test_names: str | None = None
    known_as: str | None = None
    hold_out: str | None = None


class Registration(Strict):
    """What was fixed before the test split was opened for the runs that were not stored.

    Attributes:
        version: Version of this structure.
        kind: `registration`.
        time: When it was written: UTC in ISO 8601. The chain sets it.
        previous: Digest of the entry before it; None for the first one. The chain sets it.
        program: Version of the program.
        semantics: Version of the computation, as in `RunSpec`.
        data: The data.
        protocol: The protocol.
        cards: Digest of the model and recipe of each card, by name.
        runs: The planned runs by id.
        claims: The claims files that apply.
    """

    version: int = ENTRY_VERSION
    kind: Literal["registration"] = "registration"
    time: str = ""
    previous: Sha256 | None = None
    program: str
    semantics: int
    data: RegisteredData
    protocol: RegisteredProtocol
    cards: dict[str, Sha256]
    runs: dict[str, RegisteredRun]
    claims: tuple[RegisteredClaims, ...] = ()

    def covers(self, other: Registration) -> bool:
        """Whether this registration contains the runs and the claims of `other`."""
        claims = {(each.name, each.digest) for each in self.claims}
        return self.runs.keys() >= other.runs.keys() and claims >= {(each.name, each.digest) for each in other.claims}


class Outcome(Strict):
    """The records of the runs of a benchmark or a curve when it ended, or of an evaluation.

    Attributes:
        version: Version of this structure.
        kind: `outcome`.
        time: When it was written: UTC in ISO 8601. The chain sets it.
        previous: Digest of the entry before it. The chain sets it.
        program: Version of the program.
        records: SHA-256 of `run.json` of each finished run, by run id.
        evaluations: SHA-256 of `evaluation.json` of each evaluation of a stored model, by its id.
    """

    version: int = ENTRY_VERSION
    kind: Literal["outcome"] = "outcome"
    time: str = ""
    previous: Sha256 | None = None
    program: str
    records: dict[str, Sha256] = Field(default={})
    evaluations: dict[str, Sha256] = Field(default={})


AnyEntry = Annotated[Registration | Outcome, Field(discriminator="kind")]
"""An entry of the chain."""


def registration_of(
    specs: Sequence[RunSpec], facts: DatasetFacts, stored: Iterable[str], claims: Iterable[RegisteredClaims] = ()
) -> Registration:
    """Make the registration of planned runs, which share the data and the protocol.

    Args:
        specs: The planned runs, at least one.
        facts: Their data set.
        stored: The ids of the runs that the store contains.
        claims: The claims files that apply to them.

    Returns:
        The registration, without a time and a place in the chain.
    """
    known, protocol = set(stored), specs[0].protocol
    rule = protocol.threshold if len(facts.classes) == 2 else protocol.decision
    return Registration(
        program=program_version(),
        semantics=specs[0].semantics,
        data=RegisteredData.model_validate(facts.model_dump(include=set(RegisteredData.model_fields))),
        protocol=RegisteredProtocol(
            name=protocol.name,
            digest=digest(protocol.identity()),
            fields=protocol.identity(),
            rule=rule.in_words(),
        ),
        cards={spec.card.name: digest(spec.card.identity()) for spec in specs},
        runs={
            spec.run_id: RegisteredRun(
                card=spec.card.name,
                seed=spec.seed,
                fold=spec.fold,
                images=None if spec.subset is None else spec.subset.images,
                stored=spec.run_id in known,
            )
            for spec in specs
        },
        claims=tuple(claims),
    )


def registered_claims(name: str, items: Mapping[str, Any], content: dict[str, Any]) -> RegisteredClaims:
    """Make the entry of a claims file.

    Args:
        name: Its name.
        items: What decides each verdict, by the id of the claim, as JSON types.
        content: The claims as JSON types.

    Returns:
        The claims with the digest of each item.
    """
    digests = {key: digest(item) for key, item in items.items()}
    return RegisteredClaims(name=name, digest=digest(digests), items=digests, content=content)


def canonical(value: Any) -> bytes:
    """JSON with sorted keys, without blanks and in ASCII: equal values give equal bytes. Raises ValueError for NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON of `value`, in hexadecimal."""
    return hashlib.sha256(canonical(value)).hexdigest()


def program_version() -> str:
    """The version of the program."""
    return importlib.metadata.version("zoo-bench")
