"""`python -m simbench`, the same as the installed command."""

from simbench.cli import main

main()
