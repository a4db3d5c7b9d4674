"""``python -m headscarp`` is the command line."""

from headscarp.cli import main

main()
