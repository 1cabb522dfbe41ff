"""Faults of files between jobs: damaged, cut, empty, of another model, of a later version."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from random import Random

from neuroncensus.files import FORMAT
from neuroncensus.jsonfiles import read_written, write_json
from neuroncensus.tablefiles import read_metadata, read_table, write_table
from soak.ground import DifferentError, Ground, UnclearError
from soak.jobs import Job


def _try(ground: Ground, job: Job, name: str, broken: Callable[[bytes], bytes | None]) -> str | None:
    """Put something else in the place of an input: told, or the same bytes; then put it back and run again."""
    path = ground.yard / name
    whole, state = path.read_bytes(), path.stat()
    content = broken(whole)
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    try:
        ended = ground.run(job)
        told = ground.told(job, ended) if ended.status else None
        if told is not None and Path(name).name not in told and Path(name).parent.name not in told:
            raise UnclearError(f"{job.rule} does not name {name}: {told}")
        try:
            ground.check_present(job)
        except DifferentError as error:
            raise DifferentError(f"{error}, {name} broken") from error
    finally:
        path.write_bytes(whole)
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    ground.complete(job)
    return told


def _inputs(ground: Ground) -> list[tuple[Job, str]]:
    """Every file that one job made and another reads."""
    made = {name for job in ground.jobs for name in job.outputs}
    return [(job, name) for job in ground.jobs for name in job.inputs if name in made]


def flipped(ground: Ground, draw: Random) -> str | None:
    """One bit is another."""
    job, name = draw.choice(_inputs(ground))

    def flip(whole: bytes) -> bytes:
        place, bit = draw.randrange(len(whole)), 1 << draw.randrange(8)
        return whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :]

    return _try(ground, job, name, flip)


def cut(ground: Ground, draw: Random) -> str | None:
    """The end is missing."""
    return _try(ground, *draw.choice(_inputs(ground)), lambda whole: whole[: draw.randrange(1, len(whole))])


def empty(ground: Ground, draw: Random) -> str | None:
    """No byte is there."""
    return _try(ground, *draw.choice(_inputs(ground)), lambda _whole: b"")


def other_kind(ground: Ground, draw: Random) -> str | None:
    """A whole file of another kind stands in its place."""
    job, name = draw.choice(_inputs(ground))
    others = [made for made in sorted(ground.wanted) if Path(made).name != Path(name).name]
    alike = [made for made in others if Path(made).suffix == Path(name).suffix]
    return _try(ground, job, name, lambda _whole: ground.wanted[draw.choice(alike or others)])


def foreign(ground: Ground, draw: Random) -> str | None:
    """The file of another model's run, where another input of the job is still of this one's."""
    found = []
    for job, name in _inputs(ground):
        of_model = [other for other in job.inputs if other.startswith("results/") and ground.foreign[other] != ground.wanted[other]]
        if name in of_model and len(of_model) > 1:
            found.append((job, name))
    job, name = draw.choice(found)
    return _try(ground, job, name, lambda _whole: ground.foreign[name])


def later_version(ground: Ground, draw: Random) -> str | None:
    """As a later version might write it: another format by number, or another column or key in the place of one."""
    job, name = draw.choice(_inputs(ground))
    return _try(ground, job, name, lambda whole: as_later_version(whole, name, ground.folder))


def as_later_version(whole: bytes, name: str, folder: Path) -> bytes:
    """A file with its format's number raised."""
    if name.endswith(".json"):
        (folder / "later.json").write_bytes(whole)
        write_json(read_written(folder / "later.json") | {"format": FORMAT + 1}, folder / "later.json")
        return (folder / "later.json").read_bytes()
    if name.endswith(".parquet"):
        place = folder / "later.parquet"
        place.write_bytes(whole)
        write_table(read_table(place), place, read_metadata(place) | {"format": FORMAT + 1})
        return place.read_bytes()
    # Hidden states: the settings in the header.
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + length])
    header["__metadata__"]["settings"] = json.dumps(json.loads(header["__metadata__"]["settings"]) | {"format": FORMAT + 1}, sort_keys=True)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + whole[8 + length :]
