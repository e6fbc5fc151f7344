"""MagBridge-Battery through `datasets`: load a release, or build one on demand.

Examples:
    >>> import magbridge_battery
    >>> data = magbridge_battery.load("t1_soh_regression", release="magbridge-battery")
    >>> magbridge_battery.signals(data["train"]).shape
    (3900, 100, 6)
"""

from pathlib import Path

import datasets
import pyarrow.parquet as pq
from datasets.table import table_cast

from dataset_card.running.door import require_own
from dataset_card.running.log import LOG

require_own("bridge", "benchmark")

# isort: split

from bridge.generate import CONFIGS as BRIDGE_CONFIGS
from bridge.generate import ReleaseInputs, edition_of_upstream, inputs_of
from bridge.release import bundle, zenodo
from bridge.release import folder as releases
from dataset_card.cards.card import REPOSITORY, about
from dataset_card.contract.configs import DEFAULT_CONFIG, METADATA_FILE
from dataset_card.contract.editions import DATASETS, V1, V2, V3, Edition, edition_of, unpublished
from dataset_card.contract.field import features_of
from dataset_card.errors import MagBridgeError
from dataset_card.storage.arrays import signals
from dataset_card.storage.digests import files_digest, sha256_of
from dataset_card.storage.files import cache_dir, standing
from dataset_card.storage.reading import CHECKSUMS, MANIFEST, checked_digest, read_manifest
from dataset_card.storage.samples import sample

__all__ = ["MagBridgeBattery", "load", "release_folder", "sample", "signals"]


def load(
    config: str = DEFAULT_CONFIG,
    split: str | None = None,
    *,
    release: Path | str | None = None,
    dataset: str | None = None,
    source: str | None = None,
    upstream: str = "auto",
    upstream_dir: Path | str | None = None,
    streaming: bool = False,
):
    """Load one configuration of a release.

    Args:
        config: Name of the configuration, such as `by_cell_primary` or `t1_soh_regression`; `t1` to `t9` also work.
        split: `train`, `validation` or `test`, or slices of them in the notation of `datasets` (`train[:10%]`,
            `train+test[:50]`), over rows in the order in which they are returned; by default all splits.
        release: A release folder or a bundle. By default the release in the cache, which is built first if it does not
            exist; the cache has one release per upstream.
        dataset: Dataset of the release in the cache: `magbridge-battery` (v1), the default, `magbridge-battery-v2` or
            `magbridge-battery-v3`.
        source: `zenodo` for the original published bundle, downloaded into the cache on first use.
        upstream: Upstream of a release in the cache: `auto`, `published`, `osf` or `simulated`.
        upstream_dir: Folder of published upstream files.
        streaming: Whether to read rows on demand.

    Returns:
        A `datasets.DatasetDict`, or a `datasets.Dataset` if `split` is given (iterable versions if `streaming`).

    Raises:
        MagBridgeError: If the configuration or split is unknown, or the release is damaged, incomplete or missing.
    """
    split = None if split is None else str(split)  # datasets.Split.TEST is not a str
    # Check before anything is built, and again for the release that is found.
    _check(_named(dataset) if release is None else V3 if config in _names(V3) else V2, config, split)
    folder = release_folder(release, upstream, upstream_dir, dataset=dataset, source=source)
    name = _check(_edition(folder), config, split)
    manifest = read_manifest(folder)
    remark = unpublished(manifest["dataset_digest"], manifest["bridge_version"], manifest.get("master_seed"))
    if remark is not None:
        LOG.info(f"note: {remark}")
    try:
        loaded = datasets.load_dataset(str(folder), name, streaming=streaming)
    except datasets.exceptions.DataFilesNotFoundError as error:  # its checksums are valid, so the files are there
        raise MagBridgeError(f"{folder}: `datasets` reads *, ? and [] as patterns; rename the folder") from error
    if split is not None:
        for other in loaded.keys() - _splits_of(split):
            del loaded[other]
    if _is_shuffled(_edition(folder), name) and not streaming:
        loaded = loaded.sort("sample_id")
    for rows in loaded.values():
        rows.info.update(_about(folder, name))
    if split is None:
        return loaded
    return loaded[split] if split in loaded else _sliced(loaded, split, streaming)


def _about(folder: Path, name: str) -> datasets.DatasetInfo:
    """Return description, citation and licence of a configuration; `datasets` itself reads only a folder's columns."""
    edition = _edition(folder)
    return datasets.DatasetInfo(
        description=edition.config(name).description,
        citation=(folder / "CITING.md").read_text(encoding="utf-8"),
        homepage=REPOSITORY,
        license=about(read_manifest(folder))["license"],
        version=edition.version,
    )


def _splits_of(split: str) -> set[str]:
    """Return the names of the splits that a slice expression refers to."""
    return {part.partition("[")[0].strip() for part in split.split("+")}


def _sliced(loaded: datasets.DatasetDict, split: str, streaming: bool) -> datasets.Dataset:
    """Return the rows that a slice expression selects, such as `train[:10%]+test[:50]`."""
    if streaming:
        raise MagBridgeError(f"split {split!r} of a stream: expected a whole split; take its first rows with .take(n)")
    sizes = {name: rows.num_rows for name, rows in loaded.items()}
    try:
        parts = datasets.ReadInstruction.from_spec(split).to_absolute(sizes)
    except (ValueError, AssertionError) as error:
        raise MagBridgeError(f"split {split!r} ({error}): expected slices such as train[:10%]") from error
    return datasets.concatenate_datasets(
        [loaded[p.splitname].select(range(sizes[p.splitname])[p.from_ : p.to]) for p in parts]
    )


def _is_shuffled(edition: Edition, name: str) -> bool:
    """Tell whether to order rows by id, which reveals nothing, rather than file by file: tasks from v2 on."""
    return edition in (V2, V3) and edition.config(name).task is not None


def _names(edition: Edition) -> dict[str, str]:
    """Return the full name of each configuration, keyed by its name and by its task's."""
    return {name: c.name for c in edition.configs for name in (c.name, c.task) if name}


def _check(edition: Edition, config: str, split: str | None) -> str:
    """Return a configuration's full name; raise if the edition lacks it, or if it lacks the split."""
    found = edition.config(_names(edition).get(config, config))
    names = list(found.patterns())
    if split is not None and not _splits_of(split) <= set(names):
        raise MagBridgeError(f"split {split!r} of {config}: expected one of {', '.join(names)}")
    return found.name


def _named(dataset: str | None) -> Edition:
    if dataset is not None and dataset not in DATASETS:
        raise MagBridgeError(f"dataset {dataset!r}: expected {' or '.join(DATASETS)}")
    return V1 if dataset is None else DATASETS[dataset]


def _edition(folder: Path) -> Edition:
    version = read_manifest(folder).get("bridge_version")
    return edition_of(version[0] if isinstance(version, list) and version else version)


def release_folder(
    release: Path | str | None = None,
    upstream: str = "auto",
    upstream_dir: Path | str | None = None,
    *,
    dataset: str | None = None,
    source: str | None = None,
) -> Path:
    """Return the path of a release folder whose checksums are valid; arguments as for `load`.

    Raises:
        MagBridgeError: If the release is damaged, incomplete or missing.
    """
    if dataset is not None and (release is not None or source is not None):
        raise MagBridgeError(f"dataset {dataset!r} together with a release or a source: expected only one of the three")
    if source is not None:
        if source != "zenodo" or release is not None:
            raise MagBridgeError(
                f"source {source!r}, release {release!r}: expected only the source 'zenodo', or only a release"
            )
        folder = _published_release()
    elif release is None:
        folder = _cached_release(_named(dataset), upstream, None if upstream_dir is None else Path(upstream_dir))
    elif (standing(Path(release)) / MANIFEST).is_file() and (standing(Path(release)) / METADATA_FILE).is_file():
        folder = standing(Path(release))
    elif Path(release).exists():
        folder = _imported(Path(release))
    else:
        raise MagBridgeError(
            f"{release}: no such release; expected a release folder or a bundle; omit `release` to build one, "
            "or read one on the Hub with datasets.load_dataset"
        )
    bundle.check_checksums(folder)
    checked_digest(folder)
    return folder


def _releases_dir() -> Path:
    return cache_dir() / "releases"


def _cached_release(edition: Edition, choice: str, upstream_dir: Path | None) -> Path:
    """Return the cached release of an edition and upstream; build it if it does not exist."""
    inputs = inputs_of(edition.bridge, choice, upstream_dir)
    folder = _releases_dir() / _key(inputs) / edition.name
    if not (standing(folder) / MANIFEST).is_file():
        LOG.info(f"building a release from the {inputs.name} upstream into {folder}")
        releases.build(folder, inputs, replace=True)  # another process may have been faster
    return standing(folder)


def _published_release() -> Path:
    """Return the cached copy of the published release; download it if it does not exist."""
    folder = _releases_dir() / f"zenodo-{zenodo.RECORD}" / V1.name
    if not (standing(folder) / MANIFEST).is_file():
        LOG.info(f"downloading {zenodo.BUNDLE_URL}")
        differences = zenodo.fetch_release(folder, zenodo.BUNDLE_URL)
        LOG.info("\n".join(differences) or "ids and labels match the plan")
    return standing(folder)


def _key(inputs: ReleaseInputs) -> str:
    """Return a release's folder name in the cache, which differs for each upstream, configuration and version."""
    import hashlib

    sources = hashlib.sha256(repr(sorted(inputs.sources.items())).encode()).hexdigest()[:8]
    edition = edition_of_upstream(inputs)
    return f"{inputs.name}-{edition.version}-{BRIDGE_CONFIGS[edition]().hash()}-{sources}"


def _imported(path: Path) -> Path:
    """Return a bundle as a release folder in the cache, keyed by the bundle's checksums."""
    with bundle.opened(path) as root:
        listing = root / CHECKSUMS
        if not listing.is_file():
            raise MagBridgeError(f"{path}: no {CHECKSUMS}: expected a release folder or a bundle")
        folder = _releases_dir() / f"bundle-{sha256_of(listing)[:12]}" / _edition(root).name
    if not (standing(folder) / MANIFEST).is_file():
        bundle.import_bundle(path, folder, replace=True)  # another process may have been faster
    return standing(folder)


class MagBridgeBattery(datasets.ArrowBasedBuilder):
    """A `datasets` builder over a release folder, a bundle, or a release built on demand.

    Args:
        config_name: Name of the configuration; `by_cell_primary` by default.
        release: A release folder or a bundle; by default the release in the cache, built if it does not exist.
        dataset: Dataset of the release in the cache: `magbridge-battery` (v1) by default.
        source: `zenodo` for the published bundle, downloaded into the cache on first use.
        upstream: Upstream of the release in the cache.
        upstream_dir: Folder of published upstream files.
        **kwargs: Passed to `datasets.DatasetBuilder`, such as `cache_dir`.

    Examples:
        >>> builder = MagBridgeBattery("by_cell_primary", release="magbridge-battery")
        >>> builder.download_and_prepare()
        >>> data = builder.as_dataset()
    """

    BUILDER_CONFIGS = [
        datasets.BuilderConfig(name=name, description=description)
        for name, description in {c.name: c.description for c in (*V3.configs, *V2.configs)}.items()
    ]
    DEFAULT_CONFIG_NAME = DEFAULT_CONFIG

    def __init__(
        self,
        config_name: str | None = None,
        *,
        release: Path | str | None = None,
        dataset: str | None = None,
        source: str | None = None,
        upstream: str = "auto",
        upstream_dir: Path | str | None = None,
        **kwargs,
    ):
        self._folder = release_folder(release, upstream, upstream_dir, dataset=dataset, source=source)
        self._edition = _edition(self._folder)
        self.VERSION = datasets.Version(self._edition.version)
        _check(self._edition, config_name or DEFAULT_CONFIG, None)
        # The builder's cache does not inspect the data: the digest gives different content a different entry.
        super().__init__(config_name=config_name, hash=files_digest(self._folder), **kwargs)

    def _info(self) -> datasets.DatasetInfo:
        info = _about(self._folder, self.config.name)
        info.features = features_of(self._edition.columns_of(self._edition.config(self.config.name)))
        return info

    def _split_generators(self, dl_manager) -> list[datasets.SplitGenerator]:
        generators = []
        for split, patterns in self._edition.patterns(self._edition.config(self.config.name)).items():
            paths = [str(path) for pattern in patterns for path in sorted(self._folder.glob(pattern))]
            generators.append(datasets.SplitGenerator(name=split, gen_kwargs={"paths": paths}))
        return generators

    def _generate_tables(self, paths: list[str]):
        columns = list(self._edition.config(self.config.name).columns)
        for number, path in enumerate(paths):
            rows = pq.read_table(path, columns=columns)
            yield datasets.builder.Key(number, 0), table_cast(rows, self.info.features.arrow_schema)
