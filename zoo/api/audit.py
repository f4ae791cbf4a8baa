"""`zoo.audit`: checks published figures for contradictions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from reports.audit.audit import Audit
from reports.audit.audit import audit as audit_claims
from reports.audit.figures import AuditFinding
from reports.claims.model import Claims, claims_names, load_claims
from zoo.api.arguments.inputs import Paths, known_cards
from zoo.api.output.messages import Messages, OnMessage, silent
from zoo.api.output.tables import frame, html_table
from zoo.config.arguments import PATH, several

if TYPE_CHECKING:
    import pandas

_COLUMNS = ("claims", "severity", "row", "kind", "statement", "derivation")


@dataclass(frozen=True)
class AuditResults:
    """The findings of several claims files.

    Attributes:
        audits: One per claims file: its findings and what follows from each of its rows.
        messages: Lines that begin with `warning:` or `note:`.
    """

    audits: tuple[Audit, ...]
    messages: tuple[str, ...] = ()

    @property
    def impossible(self) -> tuple[AuditFinding, ...]:
        """The findings that printed figures are impossible, without those about an interpretation of a sentence."""
        return tuple(
            finding
            for audit in self.audits
            for finding in audit.findings
            if finding.severity == "impossible" and finding.reading is None
        )

    @property
    def unknown_names(self) -> tuple[AuditFinding, ...]:
        """The findings that a sentence names a row that does not exist and resembles one."""
        return tuple(each for audit in self.audits for each in audit.findings if each.kind == "unknown-name")

    def to_dict(self) -> list[dict[str, Any]]:
        """The document that `zoo audit --json` prints."""
        document: list[dict[str, Any]] = TypeAdapter(list[Audit]).dump_python(
            list(self.audits), mode="json", by_alias=True
        )
        return document

    def to_frame(self) -> pandas.DataFrame:
        """One row per finding. Raises ConfigError when pandas is not installed."""
        return frame(self._rows(), _COLUMNS)

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (audit.name, finding.severity, finding.row, finding.kind, finding.statement, finding.derivation)
            for audit in self.audits
            for finding in audit.findings
        ]

    def _repr_html_(self) -> str:
        return html_table("Findings", _COLUMNS, self._rows(), self.messages)


def audit(
    claims: str | Path | Claims | Iterable[str | Path | Claims] | None = None,
    *,
    card_folders: Paths = (),
    on_message: OnMessage = silent,
) -> AuditResults:
    """Check whether published figures contradict each other, as `zoo audit` does; nothing is trained.

    Args:
        claims: Built-in names, YAML files or Claims; None audits every built-in file.
        card_folders: Folders with more cards.
        on_message: Called with each warning when it arises; the result collects them too.

    Returns:
        The findings of each file, the most severe first.

    Raises:
        ConfigError: A claims file is unknown or invalid.
    """
    messages = Messages(on_message)
    right = "built-in names, YAML files or Claims, or None for every built-in file"
    names_or_claims = claims_names() if claims is None else claims
    requested = several("claims", names_or_claims, (*PATH, Claims), right, may_be_empty=False)
    known = known_cards(card_folders, messages)
    loaded = [each if isinstance(each, Claims) else load_claims(str(each), known) for each in requested]
    for each in loaded:
        forms = [form for statement in each.statements for form in statement.assertion.forms()]
        names = (name for form in forms for name in form.assertion.cards)
        if (absent := each.without_card(name for name in names if not each.rows_near(name))) is not None:
            messages.note(f"{each.name}: sentences are audited; {absent}")
    return AuditResults(tuple(map(audit_claims, loaded)), messages.lines())
