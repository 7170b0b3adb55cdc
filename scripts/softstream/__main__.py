"""`python -m softstream` is the command `softstream`."""

import sys

__all__ = ["run"]


def run() -> None:
    """Runs the command. Ctrl-C during the imports ends it with one line too."""
    try:
        from softstream.scripts.cli import main

        main()
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted; nothing was written\n")
        sys.exit(130)


if __name__ == "__main__":
    run()
