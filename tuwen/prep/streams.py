"""One reader's share of a stream, and how far it has come."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from tuwen.core.errors import DataError, SampleError, TuwenError
from tuwen.core.sample import Sample, Stream
from tuwen.prep.filling import Attempt, Filler, unexpected


class StreamReader:
    """Encodes share number `share` of `shares` of a stream, from a position on.

    Args:
        stream: what is read.
        filler: encodes the samples.
        seed: names the randomness of the samples.
        share, shares: which part of the stream is this reader's.
        position: the epoch, and how many samples of it were read before; they are passed over without decoding.
        endless: whether an epoch follows the other without end.

    Attributes:
        position: where reading goes on after the attempt that came last.
    """

    def __init__(
        self,
        stream: Stream,
        filler: Filler,
        seed: int,
        *,
        share: int,
        shares: int,
        position: tuple[int, int],
        endless: bool,
    ) -> None:
        self.stream, self.filler, self.seed = stream, filler, seed
        self.share, self.shares, self.endless = share, shares, endless
        self.position = position

    def attempts(self) -> Iterator[Attempt]:
        """What became of each sample.

        Raises:
            DataError: there is no sample in this share, or reading failed unexpectedly.
        """
        while True:
            yield from self._one_epoch()
            if not self.endless:
                return
            self.position = (self.position[0] + 1, 0)

    def _one_epoch(self) -> Iterator[Attempt]:
        epoch, done = self.position
        samples = self.stream.iterate(epoch=epoch, shard=self.share, shards=self.shares)
        outcomes = _outcomes(samples, f"share {self.share} of {self.shares}, epoch {epoch}")
        for number, outcome in enumerate(islice(outcomes, done, None), start=done):
            self.position = (epoch, number + 1)
            yield outcome if isinstance(outcome, SampleError) else self._encode(outcome, epoch, number)
        if self.endless and self.position == (epoch, 0):
            raise DataError(
                f"the stream has no sample for reader {self.share + 1} of {self.shares} (a reader for each worker of "
                "each process): set train.workers lower, or split the data into more shards."
            )

    def _encode(self, sample: Sample, epoch: int, number: int) -> Attempt:
        return self.filler.attempt(sample.key, lambda: sample, (self.seed, epoch, self.share, number))


def _outcomes(samples: Iterator[Sample], where: str) -> Iterator[Sample | SampleError]:
    last = "the start"
    while True:
        try:
            sample = next(samples)
            last = sample.key
            yield sample
        except StopIteration:
            return
        except SampleError as error:
            yield error
        except TuwenError:
            raise
        except Exception as error:
            raise unexpected(f"the sample after {last} in {where}", error) from error
