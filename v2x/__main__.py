"""``python -m v2x`` is the command ``v2x``."""

from v2x.cli import main

if __name__ == "__main__":
    main()
