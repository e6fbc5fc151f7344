import re
import shutil
import subprocess
import sys

import datasets
import numpy as np
import pytest
from datasets import load_dataset
from huggingface_hub import metadata_load

import magbridge_battery
from benchmark.tasks import get_task
from bridge.release import bundle
from bridge.release import folder as release
from bridge.upstream import resolve
from dataset_card.contract.configs import BY_NAME
from dataset_card.contract.editions import DATASETS, V1, V2, V3
from dataset_card.errors import MagBridgeError
from dataset_card.storage.arrays import signals as table_signals

datasets.disable_progress_bars()

COUNTS = {
    "by_cell_primary": [4507, 1074, 1179],
    "by_record_optimistic_baseline": [4732, 1014, 1014],
    "grounded": [3900, 800, 900],
    "anomaly": [408, 96, 96],
    "regime_b": [199, 178, 183],
    "t1_soh_regression": [3900, 800, 900],
    "t2_second_life": [3900, 800, 900],
    "t3_anomaly_detection": [4507, 1074, 1179],
    "t4_anomaly_subtype": [408, 96, 96],
    "metadata": [6760],
    "full": [6760],
}


@pytest.mark.parametrize("config", COUNTS)
def test_every_configuration_loads_with_plain_datasets(published_release, config):
    data = load_dataset(str(published_release), config)
    assert [data[s].num_rows for s in data] == COUNTS[config]
    for subset in data.values():
        assert tuple(subset.column_names) == BY_NAME[config].columns


@pytest.mark.parametrize("config", COUNTS)
def test_every_configuration_streams(published_release, config):
    for subset in load_dataset(str(published_release), config, streaming=True).values():
        assert tuple(next(iter(subset))) == BY_NAME[config].columns


@pytest.mark.gate
def test_every_configuration_of_every_release_is_collated(tiny_release, v2_release, v3_release):
    torch = pytest.importorskip("torch")
    for folder, edition in ((tiny_release, V1), (v2_release, V2), (v3_release, V3)):
        for config in edition.configs:
            for name, rows in load_dataset(str(folder), config.name).items():
                rows = rows.select(range(0, rows.num_rows, max(1, rows.num_rows // 90))).with_format("torch")
                # the processes are as many as the configurations: one that has all kinds of rows stands for them
                workers = 2 if config.name == "t3_anomaly_detection" and name == "train" else 0
                loader = torch.utils.data.DataLoader(rows, batch_size=64, shuffle=True, num_workers=workers)
                found = [table_signals(batch).shape for batch in loader if set(edition.channels) <= set(batch)]
                assert sum(shape[0] for shape in found) == (len(rows) if edition.channels[1] in rows.features else 0)
                assert sum(len(batch["sample_id"]) for batch in rows.with_format("numpy").iter(16)) == len(rows)


@pytest.mark.parametrize("release", ["tiny_release", "v2_release"])
def test_the_card_collates_and_stratifies(release, request):
    folder = request.getfixturevalue(release)
    card, scope = (folder / "README.md").read_text(), {"data": load_dataset(str(folder), "by_cell_primary")}
    exec(
        card.partition("collated:\n\n```python\n")[2].partition("```")[0].replace("num_workers=2", "num_workers=0"),
        scope,
    )
    assert scope["batch"]["B_s1Y"].shape == (64, 100)
    (code,) = re.findall(r'^`(data\["train"\]\.train_test_split.*)`, and get', card, re.M)
    parts = eval(code, scope)
    shares = [np.bincount(np.array(parts[name]["anomaly_origin"])) / len(parts[name]) for name in ("train", "test")]
    assert np.abs(shares[0] - shares[1]).max() < 0.01
    assert eval(re.findall(r"^`(data.*int2str.*)`\.$", card, re.M)[0], scope) == "none"


def test_columns_that_no_batch_could_hold_are_left_to_the_files(tiny_release):
    names = {
        c: set(load_dataset(str(tiny_release), c, split="train").column_names) for c in ("full", "grounded", "anomaly")
    }
    assert {"parent_sample_id", "u_features"} & names["full"] == set()
    assert "u_features" in names["grounded"] and {"parent_sample_id", "u_features"} <= names["anomaly"]
    assert {"parent_sample_id", "u_features"} <= set(release.read_table(tiny_release).column_names)


def test_labels_are_classes_of_their_task(tiny_release, v3_release):
    data = magbridge_battery.load("t4", "train", release=tiny_release)
    assert data.features["anomaly_subtype"].names == list(get_task("t4").labels)
    by_id = {row["sample_id"]: row["anomaly_subtype"] for row in release.read_table(tiny_release).to_pylist()}
    names = data.features["anomaly_subtype"].int2str(data["anomaly_subtype"][:])
    assert names == [by_id[sample_id] for sample_id in data["sample_id"]]
    assert magbridge_battery.load("t5", "test", release=v3_release).features["defect"].names == list(
        get_task("t5").labels
    )


def test_slices_are_those_of_datasets(v2_release):
    whole = magbridge_battery.load("t1", "train", release=v2_release)
    ids = whole["sample_id"][:]
    tenth = magbridge_battery.load("t1", "train[:10%]", release=v2_release)
    assert tenth["sample_id"][:] == ids[: round(len(ids) / 10)] and tenth.features == whole.features
    assert magbridge_battery.load("t1", datasets.Split.TRAIN, release=v2_release)["sample_id"][:] == ids
    both = magbridge_battery.load("t1", "train[-3:]+test", release=v2_release)
    assert both["sample_id"][:3] == ids[-3:] and set(both["sample_id"][3:]).isdisjoint(ids)
    for wrong, words in (
        ("train[:10", "expected slices"),
        ("trai[:10%]", "expected one of train"),
    ):
        with pytest.raises(MagBridgeError, match=words):
            magbridge_battery.load("t1", wrong, release=v2_release)
    with pytest.raises(MagBridgeError, match=r"\.take\(n\)"):
        magbridge_battery.load("t1", "train[:5]", release=v2_release, streaming=True)


def test_what_is_loaded_says_what_it_is(tiny_release):
    info = magbridge_battery.load("t1", "test", release=tiny_release).info
    assert info.description == BY_NAME["t1_soh_regression"].description and info.license == "cc-by-4.0"
    assert "@misc" in info.citation or "@article" in info.citation
    assert info.homepage.startswith("https://") and str(info.version) == "1.0.0"


def test_the_name_in_the_readme_works_from_the_folder_above(published_release, tmp_path):
    code = 'from datasets import load_dataset; print(load_dataset("magbridge-battery", "by_cell_primary").num_rows)'
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=published_release.parent)
    assert found.stdout == "{'train': 4507, 'validation': 1074, 'test': 1179}\n", found.stderr


def test_the_cards_counts_are_exact(published_release):
    for config, counts in COUNTS.items():
        builder = datasets.load_dataset_builder(str(published_release), config)
        assert [split.num_examples for split in builder.info.splits.values()] == counts


def test_the_builder_equals_the_folder(published_release, tmp_path):
    builder = magbridge_battery.MagBridgeBattery(
        "t4_anomaly_subtype", release=published_release, cache_dir=str(tmp_path)
    )
    builder.download_and_prepare()
    built, loaded = builder.as_dataset(), load_dataset(str(published_release), "t4_anomaly_subtype")
    for split in loaded:
        assert built[split].features == loaded[split].features
        assert built[split].data.table.equals(loaded[split].data.table)
    assert next(iter(builder.as_streaming_dataset(split="test")))["sample_id"] == loaded["test"][0]["sample_id"]


def test_the_builder_knows_every_configuration():
    names = {config.name for edition in DATASETS.values() for config in edition.configs}
    assert set(magbridge_battery.MagBridgeBattery.builder_configs) == names


def test_signals_are_one_contiguous_array(published_release):
    data = magbridge_battery.load("full", "train", release=published_release)
    x = magbridge_battery.signals(data)
    assert x.shape == (6760, 100, 6) and x.dtype == np.float64 and x.flags.c_contiguous
    assert np.array_equal(x[17, :, 3], data[17]["B_s2Z"])
    order = [5, 3, 3, 6000]
    assert np.array_equal(magbridge_battery.signals(data.select(order)), x[order])
    assert np.array_equal(
        magbridge_battery.signals(data.shuffle(seed=1))[:3],
        magbridge_battery.signals(data.shuffle(seed=1).select(range(3))),
    )


def test_signals_say_what_they_need(published_release):
    with pytest.raises(MagBridgeError, match="no column B_s1Y"):
        magbridge_battery.signals(magbridge_battery.load("metadata", "train", release=published_release))
    with pytest.raises(MagBridgeError, match="pick one split"):
        magbridge_battery.signals(magbridge_battery.load("anomaly", release=published_release))


def test_load_reads_a_bundle(published_release, tmp_path):
    packed = bundle.write_bundle(published_release, tmp_path / "b.zip")
    data = magbridge_battery.load("anomaly", "test", release=packed)
    expected = magbridge_battery.load("anomaly", "test", release=published_release)
    assert data.data.table.equals(expected.data.table)


def test_load_builds_into_the_cache_and_keeps_upstreams_apart(
    upstream_dir, published_release, tmp_path, monkeypatch, capfd
):
    monkeypatch.setenv("MAGBRIDGE_CACHE", str(tmp_path))
    monkeypatch.delenv("MAGBRIDGE_UPSTREAM")
    build = release.build

    def quick(folder, upstream, **options):
        """The published release is at hand already; the simulated one is cut down."""
        if upstream.name == "published":
            return shutil.copytree(published_release, folder)
        return build(folder, upstream, variants=2, **options)

    monkeypatch.setattr(release, "build", quick)
    for upstream, version in (("simulated", "v1.3-simulated"), ("auto", "v1.3")):
        folder = upstream_dir if upstream == "auto" else None
        data = magbridge_battery.load("metadata", "train", upstream=upstream, upstream_dir=folder)
        assert set(data["bridge_version"]) == {version} and "building a release" in capfd.readouterr().err
    again = magbridge_battery.load("metadata", "train", upstream="simulated")
    assert set(again["bridge_version"]) == {"v1.3-simulated"} and "building" not in capfd.readouterr().err


def test_a_rebuilt_folder_is_never_served_stale(tmp_path):
    import dataclasses

    upstream = resolve("simulated")
    healthy = dataclasses.replace(upstream, pulses=dataclasses.replace(upstream.pulses, soh=np.ones(560)))
    found = []
    for seed in (1, 2):
        release.build(tmp_path / "magbridge-battery", healthy, master_seed=seed, replace=True, variants=2)
        data = load_dataset(str(tmp_path / "magbridge-battery"), "anomaly", split="test")
        assert data["sample_id"][0] in release.read_table(tmp_path / "magbridge-battery")["sample_id"].to_pylist()
        found.append(table_signals(data))
    assert not np.array_equal(*found)


@pytest.fixture
def copy(published_release, tmp_path):
    shutil.copytree(published_release, tmp_path / "magbridge-battery")
    return tmp_path / "magbridge-battery"


@pytest.mark.parametrize(
    "name",
    ["data/clean/by-cell-test/by-record-test.parquet", "metadata.parquet", "README.md", "splits/by_cell_primary.json"],
)
def test_a_flipped_byte_is_found(copy, name):
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(MagBridgeError, match=f"{name} differs from its checksum"):
        magbridge_battery.load(release=copy)


def test_a_missing_file_is_named(copy):
    (copy / "data/anomaly/by-cell-test/by-record-train.parquet").unlink()
    with pytest.raises(MagBridgeError, match="data/anomaly/by-cell-test/by-record-train.parquet is missing"):
        magbridge_battery.load(release=copy)


def test_mistakes_are_answered_with_what_is_possible(published_release):
    with pytest.raises(MagBridgeError, match="configuration 'by_cell': expected one of by_cell_primary"):
        magbridge_battery.load("by_cell", release=published_release)
    with pytest.raises(MagBridgeError, match="split 'val' of by_cell_primary: expected one of train, validation, test"):
        magbridge_battery.load(split="val", release=published_release)
    with pytest.raises(MagBridgeError, match="no such release.*datasets.load_dataset"):
        magbridge_battery.load(release="nowhere")


def test_a_path_that_datasets_takes_for_a_pattern_is_named(tiny_release, tmp_path):
    folder = shutil.copytree(tiny_release, tmp_path / "Zürich (1)" / "magbridge-battery")
    assert magbridge_battery.load("t4", "test", release=folder).num_rows
    folder = folder.parent.rename(tmp_path / "[1]") / folder.name
    with pytest.raises(MagBridgeError, match="as patterns; rename the folder"):
        magbridge_battery.load("t4", "test", release=folder)


@pytest.mark.parametrize("config", [config.name for config in V3.configs])
def test_every_configuration_of_v3_loads_plain_and_through_the_front_door(v3_release, config):
    plain = load_dataset(str(v3_release), config)
    (declared,) = [
        each for each in metadata_load(v3_release / "README.md")["dataset_info"] if each["config_name"] == config
    ]
    assert 0.75 < declared["dataset_size"] / plain["train"].info.dataset_size < 1.1
    loaded = magbridge_battery.load(config, release=v3_release)
    for split, subset in plain.items():
        assert tuple(subset.column_names) == V3.config(config).columns == tuple(loaded[split].column_names)
        ids, found = subset["sample_id"][:], loaded[split]["sample_id"][:]
        assert ids and found == (sorted(ids) if V3.config(config).task else ids)  # tasks come in the order of ids


def test_signals_of_v3_are_its_channels_one_after_another(v3_release):
    rows = magbridge_battery.load("t7", "test", release=v3_release)
    x = magbridge_battery.signals(rows)
    assert x.shape == (rows.num_rows, 681) and x.dtype == np.float64
    assert np.array_equal(x[:, :33], np.array(rows["voltage"])) and np.array_equal(
        x[3, 609:], np.array(rows[3]["scan"])
    )
    assert np.array_equal(magbridge_battery.signals(rows.select([5, 2])), x[[5, 2]])


def test_a_task_of_v3_is_not_asked_of_v1(tiny_release):
    with pytest.raises(MagBridgeError, match="configuration 't5'"):
        magbridge_battery.load("t5", release=tiny_release)
    with pytest.raises(MagBridgeError, match="configuration 't5'"):
        magbridge_battery.load("t5")
