"""How figures, times and names are written on screen."""

from __future__ import annotations

from datetime import UTC, datetime

from markupsafe import Markup

THIN = "\u202f"  # narrow no-break space, the separator of thousands
MISSING = "–"  # noqa: RUF001 - an en dash stands where there is no figure
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def number(value: float | None, digits: int = 0) -> str:
    """1234567 -> 1 234 567, with narrow spaces."""
    if value is None:
        return MISSING
    return f"{value:,.{digits}f}".replace(",", THIN)


def rate(value: float | None) -> str:
    """A pass rate with two decimals. What is neither 0 nor 1 is never written as if it were."""
    if value is None:
        return MISSING
    if 0 < value < 1:
        value = min(max(value, 0.01), 0.99)
    return f"{value:.2f}"


def percent(value: float | None, digits: int = 0) -> str:
    """0.123 -> 12%."""
    return MISSING if value is None else f"{100 * value:.{digits}f}%"


def short(value: float | None) -> str:
    """Three significant figures and a suffix: 3.1 M, 12.4 k."""
    if value is None:
        return MISSING
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{THIN}{suffix}"
    return f"{value:.3g}"


def duration(seconds: float | None) -> str:
    """The two largest units: 2 h 5 min, 41 s, 0.3 s."""
    if seconds is None:
        return MISSING
    if seconds < 10:
        return f"{seconds:.1f}".removesuffix(".0") + f"{THIN}s"
    rest, parts = round(seconds), []
    for size, unit in _UNITS:
        if rest >= size:
            parts.append(f"{rest // size}{THIN}{unit}")
            rest %= size
    if rest and len(parts) < 2 and not (parts and seconds >= 3_600):
        parts.append(f"{rest}{THIN}s")
    return " ".join(parts[:2])


def filesize(count: int | None) -> str:
    """Bytes in decimal units: 2.5 kB."""
    if count is None:
        return MISSING
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1_000 or unit == "GB":
            break
        size /= 1_000
    return f"{size:.3g}{THIN}{unit}"


def short_hash(value: str, length: int = 10) -> str:
    """The first digits of a hexadecimal hash, without the name of its algorithm."""
    return value.rpartition(":")[2][:length]


def plural(count: int, one: str, many: str = "") -> str:
    """1 chain, 2 chains, 2 entries."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def when(moment: datetime | None, now: datetime | None = None) -> Markup | str:
    """A `<time>` that reads "5 min ago" and shows the exact time (UTC) as its title. Naive times are taken as UTC."""
    if moment is None:
        return MISSING
    exact = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    seconds = ((now or datetime.now(UTC)) - exact).total_seconds()
    text = "just now"
    for size, unit in _UNITS:
        if abs(seconds) >= size:
            length = f"{int(abs(seconds) // size)}{THIN}{unit}"
            text = f"{length} ago" if seconds > 0 else f"in {length}"
            break
    if abs(seconds) >= 30 * 86_400:
        text = f"{exact:%-d %b %Y}"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        exact.isoformat(timespec="seconds"), f"{exact:%Y-%m-%d %H:%M:%S} UTC", text
    )


FILTERS = {f.__name__: f for f in (number, rate, percent, short, duration, filesize, short_hash, plural, when)}
