"""URLs of ELAsTiCC2, below /elasticc2/."""

from django.urls import path

from elasticc2 import api, pages, streampages
from tom_desc.routes import either

app_name = "elasticc2"

urlpatterns = [
    path("", pages.front_page, name="front"),
    *either("object", pages.find_object, name="find-object"),
    path("object/<int:objectid>.json", pages.object_json, name="object-json"),
    *either("object/<int:objectid>/opinions", pages.object_opinions, name="object-opinions"),
    *either("object/<int:objectid>", pages.object_page, name="object"),
    *either("hot", pages.hot_list, name="hot"),
    *either("stream", streampages.stream_page, name="stream"),
    *either("stream/classifiers", streampages.classifier_list, name="stream-classifiers"),
    *either("stream/classifiers/<int:classifier_id>", streampages.classifier_page, name="stream-classifier"),
    *either("stream/coverage", streampages.coverage_page, name="stream-coverage"),
    path("stream/coverage.json", streampages.coverage_json, name="stream-coverage-json"),
    path("stream/coverage.csv", streampages.coverage_csv, name="stream-coverage-csv"),
    path(
        "stream/missing/<int:night>/<int:classifier_id>.txt", streampages.missing_file, name="stream-missing"
    ),
    *either("stream/replay", streampages.replay_letters, name="stream-replay"),
    *either("alertstreamhists", streampages.alert_stream_hists, name="alertstreamhists"),
    path("alertstreamhists.json", streampages.sent_per_hour_json, name="alertstreamhists-json"),
    path("alertstreamhists.csv", streampages.sent_per_hour_csv, name="alertstreamhists-csv"),
    *either("ltcv", api.LightCurveView.as_view(), name="ltcv"),
    *either("ltcvs", api.LightCurveView.as_view()),
    *either("gethottransients", api.HotTransients.as_view(), name="gethottransients"),
    *either("gethotsne", api.HotSupernovae.as_view()),
    *either("getalert", api.GetAlert.as_view(), name="getalert"),
    *either("brokermessage/", api.BrokerMessages.as_view(), name="brokermessage"),
    *either("brokermessage/<int:message_id>/", api.BrokerMessages.as_view()),
    path("brokermessage/<path:filters>", api.BrokerMessages.as_view()),
]
