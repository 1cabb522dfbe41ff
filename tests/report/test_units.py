"""Numbers as people read them."""

import pytest

from neuroncensus.report.units import counted, shown_bytes, shown_flops, shown_seconds


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (shown_bytes(0), "0 B"),
        (shown_bytes(999), "1.0 kB"),
        (shown_bytes(940), "940 B"),
        (shown_bytes(18_432_000_000), "18.4 GB"),
        (shown_seconds(0.1), "under 2 seconds"),
        (shown_seconds(119), "119 seconds"),
        (shown_seconds(3370), "56.2 minutes"),
        (shown_seconds(4 * 3600), "4.0 hours"),
        (shown_seconds(2e9), "23,148.1 days"),
        (shown_flops(2.661e18), "2.66e18"),
        (shown_flops(0), "0"),
        (counted(1, "job"), "1 job"),
        (counted(2000, "job"), "2,000 jobs"),
    ],
)
def test_numbers_are_shown_in_units_that_people_read(shown, text):
    assert shown == text
