"""config/published.yaml is held against its schema, and what is wrong is told by its key."""

from pathlib import Path

import pytest
import yaml

from neuroncensus.errors import CensusError
from neuroncensus.published import read_published

CONFIG = Path(__file__).parents[1] / "config"
SCHEMA = CONFIG / "schemas" / "published.schema.yaml"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"agress": {}}, r"unknown key claims\.detectors_66b\.agress: did you mean agrees\?"),
        ({"finding": "death"}, r"claims\.detectors_66b\.finding is \"death\" but must be one of dead, "),
        ({"function": "most", "path": None}, r"claims\.detectors_66b\.function is \"most\" but must be one of "),
        ({"published": None}, r"claims\.detectors_66b lacks the key published"),
        ({"function": "least_new"}, r"claims\.detectors_66b must have exactly one of path, function but has path and function"),
        ({"agrees": None}, r"claims\.detectors_66b must have exactly one of agrees, not_comparable but has none"),
        ({"models": ["opt-66"]}, r"claims\.detectors_66b\.models names the unknown model opt-66: did you mean opt-66b\?"),
        ({"agrees": {"at_least": 1, "at_most": 2}}, r"claims\.detectors_66b\.agrees must have exactly one of number, at_least, "),
        ({"agrees": {"number": 1}}, r"claims\.detectors_66b\.agrees must have tolerance with number"),
        ({"agrees": {"at_least": 1, "tolerance": 1}}, r"claims\.detectors_66b\.agrees must have tolerance with number"),
        ({"agrees": {"number": 1, "tolerance": -1}}, r"claims\.detectors_66b\.agrees\.tolerance is -1 but must be at least 0"),
    ],
)
def test_what_is_wrong_is_told_by_its_key(tmp_path, changes, sentence):
    published = yaml.safe_load((CONFIG / "published.yaml").read_text(encoding="utf-8"))
    claim = published["claims"]["detectors_66b"]
    published["claims"]["detectors_66b"] = {key: value for key, value in (claim | changes).items() if value is not None}
    (tmp_path / "published.yaml").write_text(yaml.safe_dump(published), encoding="utf-8")
    with pytest.raises(CensusError, match=r"^published\.yaml: " + sentence):
        read_published(tmp_path / "published.yaml", SCHEMA)
