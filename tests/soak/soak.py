"""The soak itself: so many faults of each kind, one after the other, and what became of them."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from random import Random

from soak import disks, files, processes, whole
from soak.ground import DifferentError, Ground, UnclearError


@dataclass(frozen=True)
class Kind:
    """A kind of fault, and how many of it are tried in the whole soak and in a sample."""

    name: str
    fault: Callable
    soak: int
    sample: int
    needs_disk: bool = False


SINGLE = (
    Kind("job killed (SIGKILL)", processes.killed, 14, 2),
    Kind("job stopped (SIGTERM)", processes.stopped, 4, 1),
    Kind("job out of memory (SIGKILL at its peak)", processes.out_of_memory, 4, 1),
    Kind("disk full", disks.full, 10, 2, needs_disk=True),
    Kind("results read-only", disks.read_only, 4, 1, needs_disk=True),
    Kind("no space in scratch", disks.scratch, 2, 1, needs_disk=True),
    Kind("file damaged by a bit", files.flipped, 8, 2),
    Kind("file cut", files.cut, 5, 1),
    Kind("file empty", files.empty, 4, 1),
    Kind("file of another kind", files.other_kind, 4, 1),
    Kind("file of another model", files.foreign, 5, 0),
    Kind("file of a later version", files.later_version, 5, 1),
)
WHOLE = (
    Kind("Snakemake and its jobs killed (SIGKILL)", whole.killed, 20, 3),
    Kind("Snakemake alone killed (SIGKILL)", whole.snakemake_killed, 3, 0),
    Kind("Snakemake and its jobs stopped (SIGTERM)", whole.terminated, 3, 1),
    Kind("one job of Snakemake killed", whole.job_killed, 3, 1),
    Kind("two Snakemakes at once", whole.twice, 2, 1),
    Kind("clock goes back", whole.clock, 3, 1),
)


@dataclass
class Tally:
    """What became of the faults of a kind: each either survived or told, unless it is listed as different or unclear."""

    kind: str
    tried: int = 0
    survived: int = 0
    told: int = 0
    different: int = 0
    unclear: int = 0
    sentences: list[str] = field(default_factory=list)

    def add(self, fault: Callable[[], str | None]) -> bool:
        """Try one; whether it ended as it should."""
        self.tried += 1
        try:
            sentence = fault()
        except DifferentError as error:
            self.different += 1
            self.sentences.append(f"different: {error}")
        except (UnclearError, AssertionError, OSError) as error:
            self.unclear += 1
            self.sentences.append(f"unclear: {type(error).__name__}: {error}")
        else:
            self.survived += 1
            if sentence is not None:
                self.told += 1
                self.sentences.append(sentence)
            return True
        return False


@dataclass(frozen=True)
class Result:
    """A soak that was done."""

    seed: int
    tallies: list[Tally]
    left_out: list[str]

    @property
    def clean(self) -> bool:
        """Whether every fault ended in a sentence or the same bytes, and at least one was tried."""
        return bool(self.tallies) and not any(tally.different or tally.unclear for tally in self.tallies)

    def told(self) -> dict:
        """As JSON can hold it."""
        return {"seed": self.seed, "left_out": self.left_out, "faults": [asdict(tally) for tally in self.tallies]}

    def markdown(self) -> str:
        """The table."""
        columns = ("tried", "survived", "told", "different", "unclear")
        rows = [(tally.kind, *(getattr(tally, name) for name in columns)) for tally in self.tallies]
        rows.append(("all", *(sum(getattr(tally, name) for tally in self.tallies) for name in columns)))
        head = ("kind of fault", "tried", "survived", "told in a sentence first", "bytes different", "neither")
        lines = [head, ("---",) + ("---:",) * len(columns), *rows]
        table = ["| " + " | ".join(map(str, line)) + " |" for line in lines]
        return "\n".join([f"Seed {self.seed}.", "", *table, *(f"\nLeft out: {kind}." for kind in self.left_out)]) + "\n"


def _one(seed: int, kind: Kind, number: int) -> Random:
    """The draws of a fault: its own, so that one alone can be tried again."""
    return Random(f"{seed} {kind.name} {number}")


def soak(ground: Ground, seed: int, counts: Callable[[Kind], int], *, told: Callable[[str], object] = lambda _line: None) -> Result:
    """Try the faults.

    Args:
        ground: where.
        seed: of all draws. Moments are drawn, but what a job has done by then is the machine's.
        counts: how many of a kind.
        told: given a line as each kind is done.
    """
    tallies, left_out = [], []
    for kind in SINGLE:
        if kind.needs_disk and not ground.disk.mounted:
            left_out.append(f"{kind.name}, since this user may not mount a small disk")
            continue
        tallies.append(_try(kind, counts(kind), ground, seed, ground.mend))
        told(str(tallies[-1]))
    campaign = whole.Campaign(ground)
    for kind in WHOLE:
        tallies.append(_try(kind, counts(kind), campaign, seed, campaign.clear))
        told(str(tallies[-1]))
    # What the last faults left unfinished is finished, and is theirs.
    end = Tally("the last run, to its end")
    end.add(campaign.close)
    return Result(seed, [*(tally for tally in tallies if tally.tried), end], left_out)


def _try(kind: Kind, count: int, place: Ground | whole.Campaign, seed: int, mend: Callable[[], object]) -> Tally:
    tally = Tally(kind.name)
    for number in range(count):
        draw = _one(seed, kind, number)
        if not tally.add(lambda draw=draw: kind.fault(place, draw)):
            mend()  # so that one failure does not make the next
    return tally
