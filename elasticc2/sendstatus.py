"""How sending goes: the status of the latest run of ``send_elasticc2_alerts`` and of those before it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from elasticc2.models import SendRun

SHOWN_RUNS = 10
# A run says much more often than this that it lives.
SILENT = timedelta(minutes=10)


@dataclass(frozen=True)
class SendStatus:
    """A run, seen at a moment (wall time)."""

    run: SendRun
    moment: datetime

    @property
    def is_finished(self) -> bool:
        return self.run.finished is not None

    @property
    def is_cut_short(self) -> bool:
        return bool(self.run.failure)

    @property
    def is_silent(self) -> bool:
        """Whether it should be going on and has not been heard of: it may have been killed."""
        return not self.is_finished and not self.is_cut_short and self.moment - self.run.updated > SILENT

    @property
    def title(self) -> str:
        """The original's words for a run that goes on, and for one that is over."""
        return "Last streaming batch" if self.is_finished or self.is_cut_short else "Streaming in progress"

    @property
    def state(self) -> str:
        """The same in a word or two, for a list."""
        if self.is_cut_short:
            return "cut short"
        if self.is_finished:
            return "finished"
        return "not heard of" if self.is_silent else "in progress"


def latest_status(*, moment: datetime) -> SendStatus | None:
    """The run that was heard of last, which may complete an earlier one; None before the first."""
    run = SendRun.objects.order_by("-updated", "-pk").defer("slice_ends").first()
    return SendStatus(run, moment) if run else None


def latest_runs(*, moment: datetime, most: int = SHOWN_RUNS) -> list[SendStatus]:
    """The runs that were begun last, the latest first."""
    return [SendStatus(run, moment) for run in SendRun.objects.order_by("-pk").defer("slice_ends")[:most]]
