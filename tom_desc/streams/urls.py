"""URLs of what all streams share, below /streams/."""

from django.urls import path

from tom_desc.routes import either
from tom_desc.streams import pages

app_name = "streams"

urlpatterns = [
    path("", pages.consumers, name="consumers"),
    *either("deadletters", pages.dead_letters, name="deadletters"),
    *either("rejects", pages.rejects, name="rejects"),
    path("deadletters/<int:letter_id>.bin", pages.value, name="value"),
    path("schemas/<str:name>.avsc", pages.schema, name="schema"),
    path("schemas.zip", pages.all_schemas, name="schemas"),
]
