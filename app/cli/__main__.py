"""`python -m app.cli`: the command without an installed script."""

from app.cli.main import main

main()
