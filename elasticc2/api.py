"""The JSON endpoints of ELAsTiCC2."""

import functools
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.request import Request

from elasticc2 import lightcurve_json, lightcurves
from elasticc2.alerts import reconstruct
from elasticc2.campaign import ELASTICC2, HOSTINFO_COLUMNS
from elasticc2.ingest import ingest
from elasticc2.messages import CONDITIONS, broker_message, broker_messages
from tom_desc.accounts.brokers import brokers_of
from tom_desc.campaigns.clock import now
from tom_desc.env import NO, YES
from tom_desc.jsonpost import JsonPost, Refusal, body, json_answer
from tom_desc.requestfields import Anything, Number, ObjectIds, Truthy
from tom_desc.streams.classifications import check

FORMATS = (0, 1, 2)


def return_format(value: Any, sentence: str) -> int:
    """0, 1 or 2, as a number or a text of one."""
    try:
        chosen = int(value)
    except (TypeError, ValueError, OverflowError):
        chosen = -1
    if chosen not in FORMATS:
        raise Refusal(sentence.format(value=value))
    return chosen


def bounded(objectids: Sequence[int]) -> None:
    """Refuse more objects than one answer can have."""
    most = settings.LIGHT_CURVE_OBJECTS
    if len(objectids) > most:
        raise Refusal(f"these are {len(objectids)} objects; one answer has {most} at most", status=413)


class Photometry(serializers.Serializer[Any]):
    mjd = serializers.ListField(child=serializers.FloatField(), help_text="MJD (TAI), days, ascending")
    band = serializers.ListField(child=serializers.CharField(), help_text="u g r i z Y")
    flux = serializers.ListField(child=serializers.FloatField(), help_text="of the zeropoint zp; float32")
    fluxerr = serializers.ListField(child=serializers.FloatField(), help_text="1 sigma; float32")


class LightCurve(serializers.Serializer[Any]):
    """An object with its forced photometry, as return format 0 has it."""

    objectid = serializers.IntegerField()
    ra = serializers.FloatField(help_text="degrees")
    dec = serializers.FloatField(help_text="degrees")
    zp = serializers.FloatField(help_text="AB zeropoint of the fluxes: mag = zp - 2.5 log10(flux)")
    redshift = serializers.FloatField(help_text="of the latest reported spectrum; -99: none")
    sncode = serializers.IntegerField(help_text="class id of the latest reported spectrum; -99: none")
    photometry = Photometry(help_text="return format 1 has its keys at top level")

    def get_fields(self) -> Any:
        host = serializers.FloatField(
            required=False, help_text="with include_hostinfo; SNANA's sentinels kept"
        )
        return super().get_fields() | dict.fromkeys(HOSTINFO_COLUMNS, host)


class LightCurveReply(serializers.Serializer[Any]):
    status = serializers.CharField(help_text="ok")
    diaobject = LightCurve(
        many=True, help_text="return format 2: one object of lists instead, for pandas.DataFrame"
    )
    unknown = serializers.ListField(
        child=serializers.IntegerField(), help_text="ids that the TOM does not have"
    )


class LightCurveRequest(serializers.Serializer[Any]):
    objectid = ObjectIds(required=False, help_text="one id, or a list")
    objectids = ObjectIds(required=False, help_text="the same; give one of the two")
    objecitds = ObjectIds(required=False, help_text="as once misspelt in the documentation")
    mjd_now = Number(required=False, allow_null=True, help_text="only points up to this MJD (TAI)")
    return_format = Anything(default=0, help_text="0, 1 or 2")
    include_hostinfo = Truthy(help_text="add 15 columns of the first host")

    def validate_return_format(self, value: Any) -> int:
        return return_format(value, "Unknown return_format {value}")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        given = [attrs.pop(key) for key in ("objectid", "objectids", "objecitds") if key in attrs]
        if len(given) > 1:
            raise Refusal("Can't supply both objectid and objectids")
        if not given:
            raise Refusal("Must supply either objectid or objectids")
        return attrs | {"objectids": given[0]}


class LightCurveView(JsonPost):
    """Light curves of objects by id: all forced photometry that the TOM has of them."""

    request_serializer = LightCurveRequest
    response_serializer = LightCurveReply
    error_prefix = "Exception in LtcvsView: "
    unknown_keys = "Unknown parameters: {keys}"

    def shown_keys(self, keys: list[str]) -> str:
        return repr(set(keys))

    def answer(self, request: Request, **asked: Any) -> Any:
        mjd_now = asked.get("mjd_now")
        bounded(asked["objectids"])
        pieces = lightcurves.light_curves(
            objectids=asked["objectids"],
            until_mjd=mjd_now,
            spectra_until=lambda: now(ELASTICC2).at(mjd_now),
            hostinfo=asked["include_hostinfo"],
        )
        return lightcurve_json.ltcv(
            pieces,
            objectids=asked["objectids"],
            return_format=asked["return_format"],
            hostinfo=asked["include_hostinfo"],
        )


class HotRequest(serializers.Serializer[Any]):
    return_format = Anything(default=0, help_text="0, 1 or 2")
    detected_since_mjd = Number(required=False, allow_null=True, help_text="first MJD (TAI) of the window")
    detected_in_last_days = Number(
        required=False, allow_null=True, help_text="or: the window's length, days (30)"
    )
    mjd_now = Number(
        required=False,
        allow_null=True,
        help_text="end of the window and of the photometry, MJD (TAI); default: the campaign's clock",
    )
    include_hostinfo = Truthy(help_text="add 15 columns of the first host")
    min_snr = Number(
        most=1e6,
        required=False,
        allow_null=True,
        help_text="also asks for a forced point of this S/N in the window",
    )
    cheat_gentypes = Anything(
        required=False, help_text="only these true types; for admins until the campaign ends"
    )

    def validate_return_format(self, value: Any) -> int:
        return return_format(value, "Error, unknown return_format {value}")

    def validate_cheat_gentypes(self, value: Any) -> list[int] | None:
        if value is not None and not isinstance(value, list):
            raise Refusal("Error, cheat_gentypes must be a list")
        if value is not None and not all(type(entry) is int and abs(entry) < 2**31 for entry in value):
            raise Refusal("Error, cheat_gentypes must be a list of integers")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("detected_since_mjd") is not None and attrs.get("detected_in_last_days") is not None:
            raise Refusal("Error, only give one of detected_since_mjd or detected_in_last_days")
        return attrs


class HotReply(serializers.Serializer[Any]):
    status = serializers.CharField(help_text="ok")
    diaobject = LightCurve(
        many=True, help_text="return format 2: one object of lists instead, for pandas.DataFrame"
    )


class HotTransients(JsonPost):
    """Objects that were detected of late, with their whole light curves up to now.

    Detected: the TOM has a diaSource in the window, that is, an alert was sent and a broker answered.
    """

    request_serializer = HotRequest
    response_serializer = HotReply
    error_prefix = "Exception in GetHotSNeView: "
    unknown_keys = "Error, unknown parameters passed in request body: {keys}"
    # Under which the answer has the objects.
    keys: tuple[str, ...] = ("diaobject",)

    def answer(self, request: Request, **asked: Any) -> Any:
        clock = now(ELASTICC2)
        if asked.get("cheat_gentypes") is not None and not clock.shows_truth_to(request.user):
            raise Refusal(
                "cheat_gentypes shows the truth, which is hidden until the campaign has ended", status=403
            )
        mjd_now = asked.get("mjd_now")
        until = clock.at(mjd_now)
        since = asked.get("detected_since_mjd")
        if since is None:
            days = asked.get("detected_in_last_days")
            since = until - (lightcurves.HOT_DAYS if days is None else days)
        hot = lightcurves.hot_objects(
            since_mjd=since,
            until_mjd=until,
            min_snr=asked.get("min_snr"),
            gentypes=asked.get("cheat_gentypes"),
        )
        bounded(hot)
        pieces = functools.partial(
            lightcurves.light_curves,
            objectids=hot,
            until_mjd=mjd_now,
            spectra_until=lambda: until,
            hostinfo=asked["include_hostinfo"],
        )
        return lightcurve_json.hot(
            pieces, keys=self.keys, return_format=asked["return_format"], hostinfo=asked["include_hostinfo"]
        )


class HotSupernovae(HotTransients):
    """An older name of gethottransients, whose answer has the objects as ``sne`` too."""

    undocumented = True
    keys = ("diaobject", "sne")


class AlertRequest(serializers.Serializer[Any]):
    alertid = ObjectIds(required=False, help_text="the alert's id; goes before sourceid")
    sourceid = ObjectIds(required=False, help_text="or that of its source")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        for key in ("alertid", "sourceid"):
            if len(attrs.get(key, [0])) != 1:
                raise Refusal(f"{key} must be one integer")
        if not attrs:
            raise Refusal("Must supply either alertid or sourceid")
        return {key: ids[0] for key, ids in attrs.items()}


class AlertReply(serializers.Serializer[Any]):
    """The alert as brokers get it, in the names of the Avro schema."""

    alertId = serializers.IntegerField()
    diaSource = serializers.DictField()
    prvDiaSources = serializers.ListField(child=serializers.DictField())
    prvDiaForcedSources = serializers.ListField(child=serializers.DictField())
    diaObject = serializers.DictField()


class GetAlert(JsonPost):
    """An alert with its history, sent or not; beyond the campaign's clock for admins only."""

    request_serializer = AlertRequest
    response_serializer = AlertReply
    error_prefix = "Exception in GetAlert: "

    def answer(self, request: Request, **asked: Any) -> bytes:
        try:
            return reconstruct(hidden_after=now(ELASTICC2).hidden_after(request.user), **asked)
        except LookupError as error:
            raise Refusal(error.args[0], status=404) from error


# One answer's length is bounded; a longer list is fetched by offset.
MOST_MESSAGES = 10_000
FILTERS = (*CONDITIONS, "offset", "num")


class BrokerMessageRecord(serializers.Serializer[Any]):
    """A brokerClassification v0.9.1 record as JSON. Timestamps are milliseconds since 1970."""

    alertId = serializers.IntegerField()
    diaSourceId = serializers.IntegerField()
    elasticcPublishTimestamp = serializers.FloatField()
    brokerIngestTimestamp = serializers.FloatField(allow_null=True)
    brokerPublishTimestamp = serializers.FloatField(
        required=False, help_text="part of the message's identity: answering again with another one is news"
    )
    brokerName = serializers.CharField(max_length=100)
    brokerVersion = serializers.CharField(allow_null=True)
    classifierName = serializers.CharField(max_length=200)
    classifierParams = serializers.CharField(allow_null=True)
    classifications = serializers.ListField(
        child=serializers.DictField(), help_text="objects with classId and probability"
    )


class RejectedMessage(serializers.Serializer[Any]):
    index = serializers.IntegerField(help_text="place in the request, from 0")
    reason = serializers.CharField()


class PutReply(serializers.Serializer[Any]):
    brokerMessageId = serializers.IntegerField(help_text="of the first message, stored now or before")
    num_loaded = serializers.IntegerField()
    num_duplicates = serializers.IntegerField(help_text="messages that were there already")
    num_rejected = serializers.IntegerField()
    rejected = RejectedMessage(many=True)


class MessageFilters(serializers.Serializer[Any]):
    alertid = ObjectIds(required=False, help_text="messages on these alerts")
    objectid = ObjectIds(required=False, help_text="messages on sources of these objects")
    sourceid = ObjectIds(required=False, help_text="messages on these sources")
    offset = serializers.IntegerField(default=0, min_value=0, max_value=1_000_000, help_text="skip so many")
    num = serializers.IntegerField(
        default=100, min_value=1, max_value=MOST_MESSAGES, help_text="give so many"
    )


class FoundMessages(serializers.Serializer[Any]):
    offset = serializers.IntegerField()
    num = serializers.IntegerField()
    count = serializers.IntegerField(help_text="messages in this answer")
    totalcount = serializers.IntegerField(help_text="messages that pass the filters")
    brokermessages = serializers.ListField(child=serializers.DictField())


def in_url(text: str) -> dict[str, Any]:
    """Filters written as ``key=value`` between slashes; several ids are parted by commas."""
    filters: dict[str, Any] = {}
    for part in text.strip("/").split("/"):
        key, equals, value = part.partition("=")
        if not equals or key not in FILTERS:
            raise Refusal(f"{part}: the filters are {', '.join(FILTERS)}, as in alertid=1,2")
        filters[key] = value.split(",") if key in CONDITIONS else value
    return filters


class BrokerMessages(JsonPost):
    """Broker messages. GET or POST finds them, PUT stores one record or a list of them, each once."""

    http_method_names = ("get", "post", "put", "options")
    request_serializer = MessageFilters
    response_serializer = FoundMessages
    unknown_keys = "Unknown parameters: {keys}"

    def post(self, request: Request, **in_path: Any) -> HttpResponseBase:
        if "message_id" in in_path:
            return json_answer(broker_message(in_path["message_id"]))
        asked = body(request) if request.body else {}
        if not isinstance(asked, dict):
            raise Refusal("the body must be a JSON object")
        written = "/".join(
            [in_path.get("filters", ""), *(f"{key}={value}" for key, value in request.GET.items())]
        ).strip("/")
        parameters = self.parameters(asked | (in_url(written) if written else {}))
        page, total = broker_messages(**parameters)
        reply = {"offset": parameters["offset"], "num": parameters["num"], "totalcount": total}
        return json_answer(reply | {"count": len(page), "brokermessages": page})

    @extend_schema(request=BrokerMessageRecord, responses={201: PutReply})
    def put(self, request: Request, **in_path: Any) -> HttpResponseBase:
        if in_path:
            raise MethodNotAllowed("PUT")
        try:
            brokers = brokers_of(request.user)
        except PermissionError as error:
            raise Refusal(str(error), status=403) from error
        data = body(request)
        batch, rejects = check(data if isinstance(data, list) else [data], brokers=brokers)
        rejected = [{"index": reject.place, "reason": reject.reason} for reject in rejects]
        if not len(batch):
            reasons = [f"message {reject.place}: {reject.reason}" for reject in rejects]
            raise Refusal("\n".join(reasons) or "there is no message in the request")
        if is_dry_run(request):
            would = {"num_valid": len(batch), "num_rejected": len(rejects), "rejected": rejected}
            return json_answer({"status": "ok", **would})
        stored = ingest(batch)
        answer = {
            "brokerMessageId": stored.first_id,
            "num_loaded": stored.loaded,
            "num_duplicates": stored.duplicates,
            "num_rejected": len(rejects),
            "rejected": rejected,
        }
        response = json_answer(answer, status=201)
        response["Location"] = f"{request.build_absolute_uri(request.path).rstrip('/')}/{stored.first_id}"
        return response


def is_dry_run(request: Request) -> bool:
    """Whether the messages are only to be checked; what is neither yes nor no is refused, not guessed."""
    said = request.GET.get("dry_run", "no").lower()
    if said not in YES | NO:
        raise Refusal(f"dry_run must be yes or no, not {said!r}")
    return said in YES
