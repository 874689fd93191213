"""A folder of pictures with a table of captions in English and Chinese.

    python examples/draw_scenes.py photos --count 2000
    tuwen data check --data photos
    tuwen pretrain --data photos --out runs/mine

It is data to try things with, in the form that your own may have.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from PIL import Image

from tuwen.data.scenes import Config, build


def main() -> None:
    """Write the pictures, and `captions.csv` with a row for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where to write")
    parser.add_argument("--count", type=int, default=2000, help="how many pictures")
    parser.add_argument("--size", type=int, default=96, help="pixels a side")
    options = parser.parse_args()

    options.folder.mkdir(parents=True, exist_ok=True)
    scenes = build(Config(size=options.size, train_scenes=options.count))["train"]
    with (options.folder / "captions.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["image", "caption_en", "caption_zh"])
        for number in range(options.count):
            sample = scenes[number]
            name = f"{number:05}.png"
            Image.fromarray(sample.image).save(options.folder / name)
            table.writerow([name, *(caption.text for caption in sample.captions if caption.canonical)])
    print(f"{options.count} pictures and captions.csv in {options.folder}")


if __name__ == "__main__":
    main()
