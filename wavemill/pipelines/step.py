"""What all Beam steps have in common: they work where the driver does, if on another machine."""

import apache_beam as beam

from wavemill import storage
from wavemill.garbage import end_loading
from wavemill.pipelines.outdir import check_there
from wavemill.pipelines.surroundings import Surroundings


class Step(beam.DoFn):
    """A step of a job; made by the driver, run by workers."""

    def __init__(self, spool: str) -> None:
        """Keep where the driver works, with which code and spool."""
        self._spool = spool
        self._surroundings = Surroundings.here()

    def setup(self) -> None:
        """Check once a worker that it sees what the driver sees."""
        end_loading()
        storage.never_make(self._spool)
        self._surroundings.enter(self._spool)

    def lacks(self, place: str) -> bool:
        """Say whether a file has yet to be made, into a spool that is still there.

        Where it went, that is why the file is missing: no step may begin the spool anew.

        Raises:
            JobError: the spool was removed, or its disk is gone.

        """
        if storage.is_file(place):
            return False
        check_there(self._spool)
        return True


class ModelStep(Step):
    """A step that runs a model."""

    def setup(self) -> None:
        """Use one thread a worker: sums then round alike, however many workers there are."""
        import torch

        super().setup()
        torch.set_num_threads(1)
