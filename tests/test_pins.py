"""One set of pins: pyproject.toml, requirements.lock and envs/ name the same versions."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PIN = re.compile(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!]+")
REMEDY = "run `make lock`"


def as_pins(lines: list[str]) -> dict[str, str]:
    """{canonical name: version}; a line that is not a plain `name==version` fails."""
    strange = [line for line in lines if not PIN.fullmatch(line)]
    assert not strange, f"not plain name==version pins: {strange}; {REMEDY}"
    pairs = [line.split("==") for line in lines]
    pins: dict[str, str] = {canonicalize_name(name): version for name, version in pairs}
    assert len(pins) == len(lines), f"a package is pinned twice; {REMEDY}"
    return pins


def project_pins(requirements: list[str]) -> dict[str, str]:
    pins: dict[str, str] = {}
    for requirement in map(Requirement, requirements):
        (specifier,) = requirement.specifier
        assert specifier.operator == "==", f"{requirement} is not pinned with =="
        pins[canonicalize_name(requirement.name)] = specifier.version
    return pins


def differences(wanted: dict[str, str], found: dict[str, str]) -> list[str]:
    return [f"{name}: {version}, but {found.get(name)}" for name, version in wanted.items() if found.get(name) != version]


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def lock() -> dict[str, dict[str, str]]:
    """The lock's pins by section: `runtime` and `test tools`."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    _, runtime, tools = re.split(r"^# (?:runtime|test tools)\n", text, flags=re.MULTILINE)
    return {"runtime": as_pins(runtime.split()), "test tools": as_pins(tools.split())}


@pytest.fixture(scope="module")
def bench_lock() -> dict[str, str]:
    lines = (ROOT / "requirements-bench.lock").read_text(encoding="utf-8").splitlines()
    return as_pins([line for line in lines if line and not line.startswith("#")])


@pytest.fixture(scope="module")
def environment() -> list:
    return yaml.safe_load((ROOT / "envs" / "neuroncensus.yaml").read_text(encoding="utf-8"))["dependencies"]


def test_every_runtime_pin_of_the_project_is_in_the_lock(project: dict, lock: dict) -> None:
    assert not differences(project_pins(project["dependencies"]), lock["runtime"]), REMEDY


def test_every_test_tool_of_the_project_is_in_the_lock(project: dict, lock: dict) -> None:
    assert not differences(project_pins(project["optional-dependencies"]["test"]), lock["test tools"]), REMEDY


def test_the_conda_environment_is_the_runtime_part_of_the_lock(environment: list, lock: dict) -> None:
    (pip,) = [entry["pip"] for entry in environment if isinstance(entry, dict)]
    assert as_pins(pip) == lock["runtime"], REMEDY


def test_the_conda_environment_has_a_python_that_the_project_takes(environment: list, project: dict) -> None:
    (python,) = [entry.removeprefix("python=") for entry in environment if str(entry).startswith("python=")]
    assert Requirement(f"python{project['requires-python']}").specifier.contains(python)


def test_sections_of_the_lock_do_not_overlap(lock: dict) -> None:
    assert not lock["runtime"].keys() & lock["test tools"].keys()


def test_every_bench_pin_of_the_project_is_in_its_lock(project: dict, bench_lock: dict) -> None:
    assert not differences(project_pins(project["optional-dependencies"]["bench"]), bench_lock), REMEDY


def test_the_bench_lock_goes_on_top_of_the_lock(lock: dict, bench_lock: dict) -> None:
    assert not bench_lock.keys() & (lock["runtime"].keys() | lock["test tools"].keys()), REMEDY


def test_the_lock_serves_machines_with_and_without_a_gpu(lock: dict) -> None:
    cuda = [name for name in lock["runtime"] if name.startswith(("nvidia-", "cuda-", "triton"))]
    assert not cuda, f"torch brings these where they are needed: {cuda}"
    assert "neuroncensus" not in lock["runtime"]


def copied(name: str) -> set[str]:
    """What a container file takes of the project."""
    text = (ROOT / "envs" / name).read_text(encoding="utf-8")
    if name == "Dockerfile":
        return {source for line in re.findall(r"^COPY (.*) \S+$", text, re.MULTILINE) for source in line.split()}
    return set(re.findall(r"^    (\S+) /opt/neuroncensus/\1$", text, re.MULTILINE))


@pytest.mark.parametrize("name", ["Dockerfile", "apptainer.def"])
def test_a_container_has_the_lock_the_project_and_its_python(name: str) -> None:
    text = (ROOT / "envs" / name).read_text(encoding="utf-8")
    python = next(line for line in yaml.safe_load((ROOT / "envs" / "neuroncensus.yaml").read_text(encoding="utf-8"))["dependencies"][:1])
    assert re.search(rf"^(?:FROM|From:) python:{python.removeprefix('python=')}-", text, re.MULTILINE)
    assert "pip install --no-cache-dir -r /opt/neuroncensus/requirements.lock\n" in text
    assert "pip install --no-cache-dir --no-deps --no-build-isolation --editable /opt/neuroncensus\n" in text
    taken = copied(name)
    assert all((ROOT / source).exists() for source in taken)
    assert taken == {"requirements.lock", "pyproject.toml", "README.md", "LICENSE"} | {
        "Snakefile",
        *("config", "envs", "models", "profiles", "src", "workflow"),
    }
