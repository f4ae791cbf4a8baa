"""What a common mistake in telling patients apart would call a leak.

Where patient numbers start anew in each series, the number alone joins different children, and a check by it finds
patients in two parts who are not there.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import combinations

from benchmark.data.dataset import Dataset, Part
from benchmark.data.decoding.prepared import SPLITS
from benchmark.data.patients import compile_pattern, match_name, patient_key


@dataclass(frozen=True)
class FalseAlarm:
    """`flagged` of the `images` of `part` share the weaker key with an image of `other`, but not the patient."""

    part: Part
    other: Part
    images: int
    flagged: int


@dataclass(frozen=True)
class WeakerKey:
    """What a patient's key without the named groups `dropped`, of which `kept` are left, would say.

    It joins `patients` into `joined`, and takes images for leaks that are none.
    """

    kept: tuple[str, ...]
    dropped: tuple[str, ...]
    patients: int
    joined: int
    false_alarms: tuple[FalseAlarm, ...]

    def line(self) -> str:
        """What the key would do, in a line."""
        found = [a for a in self.false_alarms if a.flagged]
        alarms = ", ".join(f"{a.flagged} of {a.images} {a.part} images as in {a.other}" for a in found)
        return (
            f"a patient key of {' or '.join(self.kept)} without {' and '.join(self.dropped)} would join "
            f"{self.patients} patients into {self.joined}"
            + (f" and flag {alarms}: false alarms, by the declared key these are other patients" if found else "")
        )


def weaker_key(dataset: Dataset, patient_pattern: str | None = None) -> WeakerKey | None:
    """What patients would be if their key were the numbers in it alone, as public code often has it.

    `patient_pattern` is the one `dataset` was opened with. Of its named groups those stay whose every value in the
    file names is a number; the others, such as a series or a site, are dropped. None when nothing would be dropped or
    nothing left, and for a source whose patients do not come from the pattern.
    """
    pattern = compile_pattern(patient_pattern)
    named = {}
    for image in dataset.images:
        match = match_name(image.name, pattern)
        if match and image.patient == patient_key(image.name, pattern):
            named[image] = {group: value for group, value in match.groupdict().items() if value}
    used = sorted({group for values in named.values() for group in values})
    kept = tuple(g for g in used if all(values[g].isdecimal() for values in named.values() if g in values))
    dropped = tuple(group for group in used if group not in kept)
    if not kept or not dropped:
        return None
    keys = {image: tuple((g, values.get(g)) for g in kept) for image, values in named.items()}
    held: dict[Part, set[object]] = defaultdict(set)
    patients: dict[Part, set[str]] = defaultdict(set)
    for image, key in keys.items():
        held[image.part].add(key)
        patients[image.part].add(image.patient)
    sizes = Counter(image.part for image in dataset.images)
    alarms = []
    for other, part in combinations([part for part in SPLITS if part in held], 2):
        flagged = [i for i, key in keys.items() if i.part == part and key in held[other]]
        wrongly = sum(image.patient not in patients[other] for image in flagged)
        alarms.append(FalseAlarm(part, other, sizes[part], wrongly))
    return WeakerKey(kept, dropped, len({i.patient for i in keys}), len(set(keys.values())), tuple(alarms))
