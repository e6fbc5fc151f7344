import dataclasses
import json

import pytest

from bridge.corpus.plan import read_specification, require_same, specify
from bridge.corpus.storage import Folder
from bridge.generate import resolve
from dataset_card.errors import MagBridgeError
from tests import corpora


@pytest.fixture(scope="module")
def specification(lfp_cells):
    return specify(lfp_cells, 3000, first_seed=7, shard_rows=1400, **corpora.COMPOSITION)


def test_rows_are_made_up_to_whole_releases_and_shards_down(specification):
    assert specification.rows_per_seed == corpora.ROWS_A_SEED
    assert (specification.seeds, specification.rows) == (5, 5 * corpora.ROWS_A_SEED)
    assert (specification.seeds_per_shard, specification.shards) == (2, 3)
    assert [list(specification.seeds_of(i)) for i in range(3)] == [[7, 8], [9, 10], [11]]


def test_a_shard_has_one_seed_at_least(lfp_cells):
    assert specify(lfp_cells, 3000, shard_rows=1).seeds_per_shard == 1


def test_the_published_composition_is_the_default():
    v1 = specify(resolve("v1", "simulated"), 10**6)
    assert (v1.rows_per_seed, v1.seeds, v1.seeds_per_shard) == (6760, 148, 7)
    assert v1.scan_map is None and v1.bridge_version == "v1.3-simulated"


@pytest.mark.parametrize("options, words", [
    ({"rows": 0}, "rows 0: expected at least 1"),
    ({"dtype": "float16"}, "dtype 'float16': expected float64 or float32"),
    ({"first_seed": -1}, "seed -1: expected 0 to"),
    ({"first_seed": 2**63 - 1, "rows": 10**6}, "the first of .* seeds"),
    ({"variants": 0}, "variants 0: expected"),
])  # fmt: skip
def test_numbers_out_of_range(lfp_cells, options, words):
    with pytest.raises(MagBridgeError, match=words):
        specify(lfp_cells, **{"rows": 10, **options})


def test_written_and_read_it_is_the_same(specification, tmp_path):
    folder = Folder.of(tmp_path)
    assert read_specification(folder) is None
    folder.write_text("corpus.json", json.dumps(vars(specification)))
    found = read_specification(folder)
    assert found.hash() == specification.hash()
    assert found.counts == specification.counts
    assert found.bridge_config.hash() == specification.bridge_config.hash()
    require_same(folder, found, specification)


@pytest.mark.parametrize("name, value", [
    ("first_seed", 8), ("seeds", 6), ("dtype", "float32"), ("packages", {"numpy": "1.0"}),
    ("upstream", {"name": "osf"}),
])  # fmt: skip
def test_another_specification_is_another_hash_and_is_refused_by_name(specification, tmp_path, name, value):
    other = dataclasses.replace(specification, **{name: value})
    assert other.hash() != specification.hash()
    with pytest.raises(MagBridgeError, match=f"is another corpus: its {name} is"):
        require_same(Folder.of(tmp_path), other, specification)


@pytest.mark.parametrize("damage", [
    lambda d: d.pop("seeds"), lambda d: d.update(seeds=0), lambda d: d.update(seeds="5"), lambda d: d.update(extra=1),
    lambda d: d.update(format=2), lambda d: d.update(dtype="int8"), lambda d: d["config"].update(unknown=1),
    lambda d: d.update(composition={"variants": -1}), lambda d: d.update(bridge_version="v9"),
])  # fmt: skip
def test_a_damaged_specification_is_one_error(specification, tmp_path, damage):
    document = json.loads(json.dumps(vars(specification)))
    damage(document)
    Folder.of(tmp_path).write_text("corpus.json", json.dumps(document))
    with pytest.raises(MagBridgeError, match="corpus.json: not a valid specification of a corpus"):
        read_specification(Folder.of(tmp_path))


def test_half_a_specification_is_one_error(tmp_path):
    (tmp_path / "corpus.json").write_text('{"format"')
    with pytest.raises(MagBridgeError, match="not readable as JSON"):
        read_specification(Folder.of(tmp_path))
