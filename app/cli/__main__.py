"""`python -m app.cli`: the command without an installed script."""

from app.cli import main

main()
