"""Faults of the data, the protocol or the split, reported once since all cards share them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from benchmark.evidence.diagnosis.diagnoses import SPLIT_FAULTS, Finding
from benchmark.runs.outcome import unintended
from benchmark.runs.run import Run
from reports.results.measured import AnyResults
from reports.text import seed_list
from zoo.models.card import ModelCard

BY_DESIGN = "baseline: looks at nothing"
"""What tables say in place of faults about a card whose answer is the same for every image by design."""

_REMEDIES: Mapping[str, str] = MappingProxyType(
    {
        "small-validation": " More validation images would make choices and calibration more certain.",
        "small-training": " A protocol that asks for fewer images in validation and test leaves more to train on.",
    }
)


def own_faults(findings: Iterable[Finding], card: ModelCard) -> tuple[Finding, ...]:
    """The findings about a run of a card itself, without those about its split and what the card does by design."""
    return tuple(finding for finding in unintended(findings, card) if finding.code not in SPLIT_FAULTS)


def fault_text(run: Run) -> str:
    """The faults of a finished run by title; empty without any."""
    if run.spec.card.looks_at_nothing:
        return BY_DESIGN
    return "; ".join(finding.title for finding in own_faults(run.diagnosis, run.spec.card))


def split_faults(runs: Sequence[Run], measured: Mapping[str, AnyResults]) -> tuple[str, ...]:
    """The faults of the splits of finished runs.

    Args:
        runs: Runs on the same data under the same protocol.
        measured: The results of the cards by name, with diagnoses that replace the recorded ones.

    Returns:
        A sentence for each fault.
    """
    anew = {
        run.run_id: findings
        for results in measured.values()
        for run, findings in zip(results.runs, results.findings, strict=True)
    }
    seeds: dict[str, list[int]] = {}
    evidence: dict[str, dict[str, str]] = {}
    codes: dict[str, str] = {}
    for run in runs:
        if run.status != "ok":
            continue
        of_split = seeds.setdefault(run.split.fingerprint, [])
        if run.spec.seed not in of_split:
            of_split.append(run.spec.seed)
        for finding in anew.get(run.run_id, run.diagnosis):
            if finding.code in SPLIT_FAULTS:
                codes[finding.title] = finding.code
                evidence.setdefault(finding.title, {}).setdefault(run.split.fingerprint, finding.evidence)
    return tuple(
        f"{_sentence(title, by_split, seeds)}.{_REMEDIES.get(codes[title], '')}" for title, by_split in evidence.items()
    )


def _sentence(title: str, by_split: Mapping[str, str], seeds: Mapping[str, Sequence[int]]) -> str:
    first, evidence = next(iter(by_split.items()))
    why = "; ".join(evidence.split(": "))  # the sentence has a colon already
    if len(seeds) == 1:
        return f"This split: {title} ({why})"
    example = "" if len(set(by_split.values())) == 1 else f"; seed {seeds[first][0]}"
    if len(by_split) == len(seeds):
        return f"Every split: {title} ({why}{example})"
    some = sorted(seed for split in by_split for seed in seeds[split])
    return f"The split{'' if len(some) == 1 else 's'} of {seed_list(some)}: {title} ({why}{example})"
