"""Leases of devices: nobody shares one, and a process that ends, however it ends, gives its own back."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from neuroncensus.collect.leases import lease, visible_names

HOLD = """
import sys, time
from pathlib import Path
from neuroncensus.collect.leases import lease
print(lease(sys.argv[2:], Path(sys.argv[1]), poll=0.01)[0], flush=True)
time.sleep(600)
"""


@pytest.fixture
def holders():
    running: list[subprocess.Popen] = []
    yield running
    for process in running:
        process.kill()
        process.wait()


def hold(holders: list, folder: Path, *names: str) -> subprocess.Popen:
    """A process that leases one of these devices."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder), *names], stdout=subprocess.PIPE, text=True)
    holders.append(process)
    return process


def leased(process: subprocess.Popen) -> int:
    """Which one, once it has."""
    assert process.stdout is not None
    return int(process.stdout.readline())


@pytest.mark.parametrize(
    ("count", "visible", "names"),
    [
        (2, None, ["0", "1"]),
        (2, "", ["0", "1"]),
        (2, "3,1", ["3", "1"]),
        (1, " GPU-8a7f , GPU-b ", ["GPU-8a7f"]),
        # What CUDA does not see is none, whatever the variable says.
        (1, "MIG-1/2/0", ["MIG-1/2/0"]),
        (3, "7", ["0", "1", "2"]),
        (0, None, []),
    ],
)
def test_devices_are_named_as_cuda_sees_them(count, visible, names):
    assert visible_names(count, visible) == names


def test_every_job_has_a_device_of_its_own_and_the_next_waits(tmp_path, holders):
    first, second = hold(holders, tmp_path, "0", "GPU-x/1"), hold(holders, tmp_path, "0", "GPU-x/1")
    assert {leased(first), leased(second)} == {0, 1}
    waiting = hold(holders, tmp_path, "0", "GPU-x/1")
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(1.0)
    second.send_signal(signal.SIGKILL)
    second.wait()
    place = leased(waiting)
    assert first.poll() is None
    third, _ = lease(["other"], tmp_path)
    assert place in (0, 1) and third == 0


def test_a_lease_lasts_until_it_is_closed(tmp_path):
    place, lock = lease(["0", "1"], tmp_path)
    other, second = lease(["0", "1"], tmp_path)
    assert (place, other) == (0, 1)
    os.close(lock)
    assert lease(["0", "1"], tmp_path)[0] == 0
    os.close(second)


def test_a_lock_that_is_there_already_and_may_only_be_read_will_do(tmp_path):
    file = tmp_path / "neuroncensus-gpu-0.lock"
    file.touch(mode=0o444)
    assert lease(["0"], tmp_path)[0] == 0
