"""Charts as data: positions computed here, drawn as SVG by the macros of components/_charts.html.

Lengths are CSS pixels: a chart is drawn at its natural size and scrolls in its own region where that is too wide.
Every mark has an address, the rows behind it.
"""

from app.web.charts.accumulation import Accumulation, accumulation
from app.web.charts.bars import Stack, YieldChart, stack, yield_by_turn
from app.web.charts.difficulty_map import DifficultyMap, Stone, difficulty_map
from app.web.charts.histogram import Histogram, histogram
from app.web.charts.scatter import Scatter, scatter
from app.web.charts.strip import Strip, strip

__all__ = [
    "Accumulation",
    "DifficultyMap",
    "Histogram",
    "Scatter",
    "Stack",
    "Stone",
    "Strip",
    "YieldChart",
    "accumulation",
    "difficulty_map",
    "histogram",
    "scatter",
    "stack",
    "strip",
    "yield_by_turn",
]
