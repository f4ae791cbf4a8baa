"""Stores whose runs were registered before their scores, made without training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmark.runs.registration import registration_of
from benchmark.runs.run import RunSpec, now
from benchmark.runs.storage.beside.chain import Link, append
from benchmark.runs.storage.store import Store
from reports.claims.model import Claims
from reports.claims.registered import registered
from tests.support.judging import claims_about
from tests.support.records import KAGGLE, cards, make_spec
from tests.support.stored import keep
from zoo.api.registration.registrations import record_outcome

CARD, OTHER = "attempt-5", "attempt-6a"


def spec_of(card: str = CARD, seed: int = 0) -> RunSpec:
    """A planned run on the real data."""
    return make_spec(card, seed=seed, dataset=KAGGLE)


def entry(
    store: Store, specs: Sequence[RunSpec] = (), claims: Sequence[Claims] = (), stored: Sequence[str] = ()
) -> Link:
    """A registration of the planned runs, without asking whether it is needed."""
    planned = registration_of(specs or [spec_of()], KAGGLE, stored, map(registered, claims))
    link = append(store, lambda _: planned)
    assert link is not None
    return link


def claims_in(folder: Path, auc: float = 0.9, margin: float = 0.1, **more: Any) -> Claims:
    """Two rows and a statement about the two cards."""
    rows = [
        {"name": name, "card": name, "figures": [figure | {"value": auc if name == CARD else 0.8}]}
        for name, figure in ((CARD, AUC), (OTHER, AUC))
    ]
    says = [{"superior": {"a": CARD, "b": OTHER, "metric": "auc"}}]
    return claims_about(folder, *rows, says=says, margin=margin, **more)


AUC = {"metric": "auc", "split": "test", "decimals": 3, "location": "Table 1"}


def registered_store(folder: Path, *claims: Claims, seeds: Sequence[int] = (0,)) -> Store:
    """Both cards registered with the claims, then scored, then recorded."""
    store = Store(folder / "runs")
    specs = [spec_of(card, seed) for card in (CARD, OTHER) for seed in seeds]
    link = entry(store, specs, claims)
    for each in specs:
        keep(store, each.card, seed=each.seed, registration=link.digest, finished=now())
    record_outcome(store, [each.run_id for each in specs])
    return store


def known() -> dict[str, Any]:
    """The built-in cards."""
    return cards()
