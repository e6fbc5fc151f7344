import re
import shutil
import subprocess
import sys

import datasets
import numpy as np
import pytest
from datasets import load_dataset

import magbridge_battery
from bridge.release import bundle
from bridge.release import folder as release
from bridge.upstream import resolve
from dataset_card.contract.configs import BY_NAME
from dataset_card.contract.editions import DATASETS, V3
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


@pytest.mark.parametrize("config", COUNTS)
def test_every_configuration_has_a_numpy_format_but_for_pulses_that_are_null(tiny_release, config):
    for subset in load_dataset(str(tiny_release), config).values():
        kept = subset.shuffle(seed=0).select_columns([name for name in subset.column_names if name != "u_features"])
        batches = list(kept.with_format("numpy").iter(batch_size=16))
        assert sum(len(batch["sample_id"]) for batch in batches) == subset.num_rows
        if "B_s1Y" in kept.column_names:
            assert np.concatenate([batch["B_s1Y"] for batch in batches]).shape == (subset.num_rows, 100)
    if config == "by_cell_primary":  # the day this passes, the card need not speak of it
        with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'shape'"):
            list(subset.shuffle(seed=0).with_format("numpy").iter(batch_size=16))


def test_a_data_loader_takes_what_the_card_says(tiny_release):
    torch = pytest.importorskip("torch")
    code = (tiny_release / "README.md").read_text().partition("never null:\n\n```python\n")[2].partition("```")[0]
    scope = {"data": load_dataset(str(tiny_release), "by_cell_primary")}
    exec(code, scope)
    sets = [scope["rows"]]
    sets += [load_dataset(str(tiny_release), c, split="train").with_format("torch") for c in COUNTS if c[0] == "t"]
    assert len(sets) == 5
    for rows in sets:
        loader = torch.utils.data.DataLoader(rows, batch_size=64, shuffle=True)
        assert sum(batch["B_s1Y"].shape[0] for batch in loader) == len(rows)
    with pytest.raises(TypeError, match="NoneType"):
        next(iter(torch.utils.data.DataLoader(scope["data"]["train"], batch_size=2000)))


def test_labels_are_encoded_and_stratified_as_the_card_says(tiny_release):
    (code,) = re.findall(
        r'^`(data\["train"\]\.class_encode_column.*)`\.$', (tiny_release / "README.md").read_text(), re.M
    )
    parts = eval(code, {"data": load_dataset(str(tiny_release), "by_cell_primary")})
    shares = [np.bincount(np.array(parts[name]["anomaly_origin"])) / len(parts[name]) for name in ("train", "test")]
    assert np.abs(shares[0] - shares[1]).max() < 0.01


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
    "name", ["data/clean/test/test.parquet", "metadata.parquet", "README.md", "splits/by_cell_primary.json"]
)
def test_a_flipped_byte_is_found(copy, name):
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(MagBridgeError, match=f"{name} differs from its checksum"):
        magbridge_battery.load(release=copy)


def test_a_missing_file_is_named(copy):
    (copy / "data/anomaly/test/train.parquet").unlink()
    with pytest.raises(MagBridgeError, match="data/anomaly/test/train.parquet is missing"):
        magbridge_battery.load(release=copy)


def test_mistakes_are_answered_with_what_is_possible(published_release):
    with pytest.raises(MagBridgeError, match="configuration 'by_cell': expected one of by_cell_primary"):
        magbridge_battery.load("by_cell", release=published_release)
    with pytest.raises(MagBridgeError, match="split 'val' of by_cell_primary: expected one of train, validation, test"):
        magbridge_battery.load(split="val", release=published_release)
    with pytest.raises(MagBridgeError, match="no such release"):
        magbridge_battery.load(release="nowhere")


@pytest.mark.parametrize("config", [config.name for config in V3.configs])
def test_every_configuration_of_v3_loads_plain_and_through_the_front_door(v3_release, config):
    plain = load_dataset(str(v3_release), config)
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
