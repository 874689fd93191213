"""What the tasks that read captions have in common."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from tuwen.core.batch import Row
from tuwen.core.sample import Sample
from tuwen.prep.tokens import Tokenizer
from tuwen.tasks import Task, choose


class CaptionReader(Task):
    """Any caption of a sample is learned, read and not written.

    tokenizer: of the run.
    """

    needs = "a caption"
    tokenizer: Tokenizer

    @property
    @abstractmethod
    def texts(self) -> int:
        """Captions of a picture that are learned at a time."""

    def finds(self, sample: Sample) -> bool:
        return bool(sample.captions)

    def encode(self, sample: Sample, rng: np.random.Generator) -> list[Row]:
        captions = sample.captions
        return [Row(self.tokenizer.read(captions[number].text)) for number in choose(captions, self.texts, rng)]
