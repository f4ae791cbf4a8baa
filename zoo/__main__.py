"""`python -m zoo` and the `zoo` command: a small first module, so that Ctrl-C is answered from the start."""

from __future__ import annotations

from zoo.cli.interrupt import interrupted


def main() -> None:
    """Load and run the command line (`zoo.cli.app.main`)."""
    try:
        from zoo.cli.app import main as run

        run()
    except KeyboardInterrupt:
        interrupted()


if __name__ == "__main__":
    main()
