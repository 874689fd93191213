"""`hub`: a data set of the `datasets` library, saved on disk or named on the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuwen.core.errors import DataError
from tuwen.data import NotedSplits
from tuwen.data._columns import TableConfig
from tuwen.data._pictures import PictureFinder
from tuwen.data._splits import build_splits
from tuwen.data._tables.rows import Rows
from tuwen.data._vocabulary import SPLIT_NAMES


class Config(TableConfig):
    """Which data set, and what its columns mean.

    name: a folder that `save_to_disk` wrote, or a name on the hub (`owner/name`).
    subset: which of several configurations of a data set on the hub.
    revision: which version on the hub: a branch, a tag or a commit.
    """

    name: str
    subset: str | None = None
    revision: str | None = None


def build(config: Config, context: Any = None) -> NotedSplits:
    """The splits of the data set; `train` and `validation` of one that has none.

    Rows are mapped from disk, so that a data set may be larger than memory. Nothing is ever unpickled.

    Raises:
        DataError: it is not there, cannot be reached or read, or has no pictures with texts.
    """
    folder = Path(config.name).expanduser()
    found = _saved(folder) if folder.is_dir() else _named(config)
    finder_folder = folder if folder.is_dir() else Path()
    tables, notes = _by_split(config.name, found)
    finders = {split: (rows, PictureFinder(finder_folder)) for split, rows in tables.items()}
    return build_splits(finders, config).noted(*notes)


def _saved(folder: Path) -> Any:
    import datasets

    if not any((folder / name).is_file() for name in ("dataset_dict.json", "state.json")):
        raise DataError(
            f"{folder}: not a data set that `save_to_disk` of the datasets library wrote. A folder of pictures, or of "
            "CSV, JSON or Parquet files, is read with `kind: folder`."
        )
    try:
        return datasets.load_from_disk(str(folder))
    except Exception as error:  # whatever the library meets in a half-written folder
        raise DataError(f"{folder}: the saved data set cannot be read: {_brief(error)}") from error


def _named(config: Config) -> Any:
    import datasets

    try:
        return datasets.load_dataset(config.name, config.subset, revision=config.revision)
    except Exception as error:  # of the network, the hub, the cache and each format of file
        hint = "Check the name, and that the network is there; or give the folder of one saved with `save_to_disk`."
        raise DataError(f"{config.name}: the data set cannot be loaded from the hub: {_brief(error)} {hint}") from error


def _by_split(name: str, found: Any) -> tuple[dict[str | None, Rows], list[str]]:
    """Its tables under the names that splits have here.

    Raises:
        DataError: it has several splits, and none of them is for training.
    """
    import datasets

    if isinstance(found, datasets.Dataset):
        return {None: _rows(name, found)}, []
    known = {split: SPLIT_NAMES[split.lower()] for split in found if split.lower() in SPLIT_NAMES}
    if len(found) == 1:
        (split,) = found
        return {None: _rows(f"{name}/{split}", found[split])}, []
    if "train" not in known.values():
        raise DataError(f"{name}: its splits are {', '.join(found)}, and none is for training; rename one to train.")
    unused = [split for split in found if split not in known]
    notes = [f"{name}: the splits {', '.join(unused)} are not used."] if unused else []
    return {known[split]: _rows(f"{name}/{split}", found[split]) for split in known}, notes


def _rows(name: str, found: Any) -> Rows:
    import datasets

    features = found.features.items()
    classes = {column: feature.names for column, feature in features if isinstance(feature, datasets.ClassLabel)}
    return Rows(name, found.data, classes=classes)


def _brief(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).split("\n")[0].rstrip(".") + "."
