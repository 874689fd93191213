"""Search a folder of pictures by text.

    python examples/search.py runs/quickstart photos "a red circle" "一个红色的圆形"

The texts may be in any language that the model was trained in.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import tuwen

ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"}


def main() -> None:
    """Embed every picture once, and print the closest to each text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a trained model")
    parser.add_argument("folder", type=Path, help="where the pictures are; its subfolders too")
    parser.add_argument("texts", nargs="+", help="what to look for")
    parser.add_argument("--best", type=int, default=3, help="how many pictures to show for a text")
    options = parser.parse_args()

    files = sorted(file for file in options.folder.rglob("*") if file.suffix.lower() in ENDINGS)
    if not files:
        parser.error(f"there is no picture in {options.folder}")
    model = tuwen.load(options.run)
    similarity = model.embed_texts(options.texts) @ model.embed_images(files).T
    for text, row in zip(options.texts, similarity, strict=True):
        print(text)
        for number in row.argsort(descending=True)[: options.best].tolist():
            print(f"  {row[number]:.3f}  {files[number]}")


if __name__ == "__main__":
    main()
