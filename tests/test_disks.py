"""Disks that are full or read-only: one sentence that names the file and what to do, and no half-written file."""

import logging

import numpy
import pyarrow
import pytest
import torch
from matplotlib.figure import Figure

from made_text import make_tokenizer
from models_made import make_opt
from neuroncensus.collect.hidden import hidden_writer
from neuroncensus.errors import CensusError
from neuroncensus.figures.style import save
from neuroncensus.files import atomic_path
from neuroncensus.jobs import job
from neuroncensus.models.train import save_checkpoint
from neuroncensus.tablefiles import table_writer, write_table
from soak.ground import Disk

NUMBERS = numpy.random.default_rng(0).standard_normal(100_000)


@pytest.fixture
def disk(tmp_path):
    small = Disk(tmp_path / "disk", 1 << 18)
    if not small.mounted:
        pytest.skip("this user may not mount a small disk")
    yield small
    small.close()


def hidden(path, _elsewhere):
    with hidden_writer(path, 1000, 100, torch.float32, {}) as write:
        write(torch.from_numpy(NUMBERS.reshape(1000, 100).astype("float32")))


def figure(path, _elsewhere):
    drawn = Figure()
    drawn.add_subplot().plot(NUMBERS)
    save(drawn, path.with_suffix(".pdf"), 100)


def state(path, _elsewhere):
    with atomic_path(path) as partial, partial.open("wb") as file:
        torch.save({"numbers": torch.from_numpy(NUMBERS)}, file)


def checkpoint(path, elsewhere):
    from transformers import OPTForCausalLM  # noqa: PLC0415 only here

    folder = make_opt(elsewhere / "model", vocab=320, positions=16, layers=8, d=64, ffn=256)
    make_tokenizer(folder)
    save_checkpoint(OPTForCausalLM.from_pretrained(folder), folder, path)


WRITERS = {
    "table": lambda path, _: write_table(pyarrow.table({"number": NUMBERS}), path, {}),
    "hidden states": hidden,
    "figure": figure,
    "state of a training run": state,
    "checkpoint": checkpoint,
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_told(disk, tmp_path, name):
    disk.fill(1 << 14)
    with pytest.raises(CensusError, match=r"^no space left for .*/results/out[^ ]*: free some on the disk of .*/results and run again$"):
        WRITERS[name](disk.folder / "results" / "out", tmp_path)
    assert list((disk.folder / "results").iterdir()) == []


@pytest.mark.parametrize("name", WRITERS)
def test_a_read_only_disk_is_told(disk, tmp_path, name):
    (disk.folder / "results").mkdir()
    disk.write_protect(True)
    with pytest.raises(CensusError, match=r"^.*/results/out[^ ]* cannot be written \(Read-only file system\): make .*/results writable"):
        WRITERS[name](disk.folder / "results" / "out", tmp_path)


@pytest.mark.parametrize("free", [0, 4096])
def test_a_log_on_a_full_disk_hides_nothing(disk, capsys, free):
    disk.fill(free)
    with pytest.raises(SystemExit), job(str(disk.folder / "a.log")):
        logging.getLogger("neuroncensus").info("much " * 2000)
        raise CensusError("no space left for the table")
    assert capsys.readouterr().err == "error: no space left for the table\n"


@pytest.mark.parametrize("log", ["a.log", "logs/of/a.log"])
def test_a_log_that_cannot_be_written_is_told(disk, capsys, monkeypatch, log):
    monkeypatch.chdir(disk.folder)  # as Snakemake does: its names are relative
    disk.write_protect(True)
    with pytest.raises(SystemExit) as ended, job(log):
        raise AssertionError
    assert str(ended.value).startswith(f"error: {log} cannot be written (Read-only file system): make ")
    assert capsys.readouterr().err == ""


def test_of_several_open_files_the_one_that_found_no_space_is_told(disk, tmp_path):
    disk.fill(1 << 14)
    table = pyarrow.table({"number": NUMBERS})
    told = pytest.raises(CensusError, match=r"^no space left for .*/disk/first: free some on the disk of .*/disk and run again$")
    with told, table_writer(disk.folder / "first", table.schema, {}) as write, atomic_path(tmp_path / "second"):
        write(table)
    assert not (tmp_path / "second").exists()
