"""What ``manage.py doctor`` finds: one line each, and what to do where something is not in order."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """``cure`` says what to do; it is empty where all is in order."""

    about: str
    said: str
    cure: str = ""

    @property
    def ok(self) -> bool:
        return not self.cure

    def __str__(self) -> str:
        line = f"{'ok' if self.ok else 'not ok':6}  {self.about:24}  {self.said}"
        return line if self.ok else f"{line}\n{'':34}what to do: {self.cure}"
