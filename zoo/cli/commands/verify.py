"""`zoo verify`: compares a store with what was registered before its scores."""

from __future__ import annotations

from typing import Annotated

import typer

from zoo.cli.options import CardsOption, ClaimsOption, JsonOption, out, print_json, say


def command(
    store: Annotated[
        str, typer.Argument(metavar="STORE", help="The store: the folder that contains the runs, or its URI.")
    ] = "runs",
    claims: ClaimsOption = None,
    expect: Annotated[
        str | None,
        typer.Option(
            "--expect", metavar="DIGEST", help="A published digest that the chain of registrations must contain."
        ),
    ] = None,
    digest: Annotated[
        bool, typer.Option("--digest", help="Print the digest of the last entry of the chain, and stop.")
    ] = False,
    cards: CardsOption = None,
    json: JsonOption = False,
) -> None:
    """Compare a store with what was registered before its scores.

    The exit code is 0 if claims, cards, protocols and runs are as registered, 1 if some are not or came after the
    scores, and 3 if a file was changed. It is 2 if an argument is wrong.
    """
    from reports.render.terminal.verification import verification_table
    from zoo.api.arguments.inputs import resolve_existing_store
    from zoo.api.verify import verify
    from zoo.config.errors import ConfigError

    if digest:
        from benchmark.runs.storage.beside.chain import read_chain

        head = read_chain(resolve_existing_store(store)).head
        if head is None:
            raise ConfigError(
                f"{store}: contains no registration; `zoo bench` makes one before it opens the test split"
            )
        print(head)
        return
    results = verify(store, claims=claims, expect=expect, card_folders=cards or (), on_message=say)
    if json:
        print_json(results.to_dict())
    else:
        out().print(verification_table(results.checks))
    if results.exit_code:
        raise typer.Exit(results.exit_code)
