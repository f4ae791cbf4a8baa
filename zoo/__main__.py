"""`python -m zoo` and the `zoo` command. The module imports little, so that Ctrl-C works from the start."""

from __future__ import annotations

from zoo.cli.interrupt import interrupted, remember_interrupts


def main() -> None:
    """Load and run the command line (`zoo.cli.app.main`)."""
    try:
        remember_interrupts()
        from zoo.cli.app import main as run

        run()
    except KeyboardInterrupt:
        interrupted()


if __name__ == "__main__":
    main()
