"""Answers that a browser keeps as files."""

from tom_desc.downloads import csv_download, download


def test_bytes_stay_what_they_are() -> None:
    response = download(bytes(range(256)), filename="a.bin", content_type="application/octet-stream")
    assert response.content == bytes(range(256))
    assert response["Content-Disposition"] == 'attachment; filename="a.bin"'


def test_rows_are_parted_by_commas() -> None:
    response = csv_download(("name", "count"), [("a, b", 1), (None, 2)], filename="a.csv")
    assert response.content.decode() == 'name,count\n"a, b",1\n,2\n'
    assert response["Content-Type"] == "text/csv; charset=utf-8"
