"""Answers that a browser keeps as files."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from django.http import HttpResponse


def download(content: bytes, *, filename: str, content_type: str) -> HttpResponse:
    """Bytes to be kept as a file, whatever they look like."""
    response = HttpResponse(content, content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response


def csv_download(heads: Sequence[str], rows: Iterable[Sequence[Any]], *, filename: str) -> HttpResponse:
    """Rows below their heads, parted by commas."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heads)
    writer.writerows(rows)
    return download(text.getvalue().encode(), filename=filename, content_type="text/csv; charset=utf-8")
