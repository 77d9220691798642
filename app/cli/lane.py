"""`python -m app.cli.lane RUN`: one process of `cairn refine`, driving chains of a run until there are none."""

import sys

from app.features.runs.lane import drive_until_over

drive_until_over(int(sys.argv[1]))
