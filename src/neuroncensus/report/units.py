"""Numbers in units that people read."""

UNITS = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
SPANS = ((2 * 86400, 86400, "days"), (2 * 3600, 3600, "hours"), (120, 60, "minutes"))


def prefixed(value: float, unit: str) -> str:
    """`81.0 GFLOP/s`, in powers of ten."""
    for size, letter in UNITS:
        # 999.96 k would round to 1000.0 k.
        if round(value / size, 1) >= 1:
            return f"{value / size:.1f} {letter}{unit}"
    return f"{value:.0f} {unit}"


def shown_bytes(count: float) -> str:
    """`18.4 GB`, in powers of ten."""
    return prefixed(count, "B")


def shown_seconds(seconds: float) -> str:
    """`3.2 hours`; in the largest of days, hours, minutes and seconds of which there are two."""
    for least, size, name in SPANS:
        if seconds >= least:
            return f"{seconds / size:,.1f} {name}"
    return f"{seconds:.0f} seconds" if seconds >= 2 else "under 2 seconds"


def shown_flops(flops: float) -> str:
    """`2.66e18`."""
    mantissa, exponent = f"{flops:.2e}".split("e")
    return f"{mantissa}e{int(exponent)}" if flops else "0"


def counted(number: int, noun: str) -> str:
    """`1 job`, `2,000 jobs`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
