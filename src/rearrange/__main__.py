"""`python -m rearrange`."""

from rearrange.cli import main

if __name__ == "__main__":
    main()
