"""One picture of what a run's model says about pictures that it has not seen.

    python examples/overview.py runs/quickstart docs/images/overview.png

The picture in the README was made so.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tuwen.report.examples import Examples
from tuwen.report.overview import overview_figure


def main() -> None:
    """Draw it from what evaluation left in the run's folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a finished run")
    parser.add_argument("out", type=Path, help="the PNG to write")
    parser.add_argument("--split", default="held_out", help="tasks (unseen pictures) or held_out (default)")
    options = parser.parse_args()
    options.out.write_bytes(overview_figure(Examples.load(options.run), options.split))
    print(options.out)


if __name__ == "__main__":
    main()
