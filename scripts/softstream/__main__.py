"""`python -m softstream` is the command `softstream`."""

from softstream.scripts.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
