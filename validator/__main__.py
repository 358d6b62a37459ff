"""``python -m validator``: the same as the console script."""

from validator.cli import main

if __name__ == "__main__":
    main()
