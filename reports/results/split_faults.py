"""Faults of the data, the protocol or the split: the same for every card, so they are said once for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from benchmark.evidence.diagnosis.causes import SPLIT_FAULTS, Finding
from benchmark.runs.run import Run
from reports.results.measured import CardResults


def own_faults(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings that are a run's own, and not those of its split."""
    return tuple(finding for finding in findings if finding.code not in SPLIT_FAULTS)


def split_faults(runs: Sequence[Run], measured: Mapping[str, CardResults]) -> tuple[str, ...]:
    """A sentence for each fault of the splits that finished `runs` were made on; diagnosed anew where `measured` has
    their scores."""
    anew = {
        run.run_id: findings
        for found in measured.values()
        for run, findings in zip(found.runs, found.findings, strict=True)
    }
    seeds: dict[str, list[int]] = {}
    said: dict[str, dict[str, str]] = {}
    for run in runs:
        if run.status != "ok":
            continue
        of_split = seeds.setdefault(run.split.fingerprint, [])
        if run.spec.seed not in of_split:
            of_split.append(run.spec.seed)
        for finding in anew.get(run.run_id, run.diagnosis):
            if finding.code in SPLIT_FAULTS:
                said.setdefault(finding.title, {}).setdefault(run.split.fingerprint, finding.evidence)
    return tuple(_sentence(title, by_split, seeds) for title, by_split in said.items())


def _sentence(title: str, by_split: Mapping[str, str], seeds: Mapping[str, Sequence[int]]) -> str:
    first, evidence = next(iter(by_split.items()))
    if len(seeds) == 1:
        return f"This split: {title}: {evidence}."
    example = "" if len(set(by_split.values())) == 1 else f" (seed {seeds[first][0]})"
    if len(by_split) == len(seeds):
        return f"Every split: {title}: {evidence}{example}."
    some = sorted(seed for split in by_split for seed in seeds[split])
    which = f"seed{'' if len(some) == 1 else 's'} {', '.join(map(str, some))}"
    return f"The split of {which}: {title}: {evidence}{example}."
