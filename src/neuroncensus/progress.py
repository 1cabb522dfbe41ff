"""Progress with rate and time left on a terminal; nothing where standard error is a file."""

from tqdm import tqdm


def progress(*, total: int, unit: str, what: str, done: int = 0) -> tqdm:
    """A bar of `total` units on standard error, shown only if that is a terminal."""
    return tqdm(total=total, initial=done, unit=unit, unit_scale=True, desc=what, disable=None, mininterval=1.0, dynamic_ncols=True)
