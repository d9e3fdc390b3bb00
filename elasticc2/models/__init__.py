"""Every table of ELAsTiCC2. Table and column names are public interface: people write SQL against them."""

from elasticc2.models.alerts import PPDBAlert, TrainingAlert
from elasticc2.models.brokers import (
    BrokerClassifier,
    BrokerMessage,
    BrokerNews,
    BrokerSourceIds,
    ImportPPDBRunning,
    LoadNews,
    UnknownSource,
)
from elasticc2.models.followup import PlannedSpectra, SpectrumInfo, WantedSpectra
from elasticc2.models.objects import (
    DiaObject,
    DiaObjectOfTarget,
    PPDBDiaObject,
    PPDBEncodedObject,
    TrainingDiaObject,
)
from elasticc2.models.photometry import (
    DiaForcedSource,
    DiaSource,
    PPDBDiaForcedSource,
    PPDBDiaSource,
    TrainingDiaForcedSource,
    TrainingDiaSource,
)
from elasticc2.models.sending import SendBatch, SendRun
from elasticc2.models.summaries import (
    DiaObjectClassification,
    DiaObjectInfo,
    ObjectSummary,
    PackedLightCurve,
    StaleObjects,
)
from elasticc2.models.taxonomy import ClassIdOfGentype, GentypeOfClassId
from elasticc2.models.truth import DiaObjectTruth, TrainingDiaObjectTruth

__all__ = [
    "BrokerClassifier",
    "BrokerMessage",
    "BrokerNews",
    "BrokerSourceIds",
    "ClassIdOfGentype",
    "DiaForcedSource",
    "DiaObject",
    "DiaObjectClassification",
    "DiaObjectInfo",
    "DiaObjectOfTarget",
    "DiaObjectTruth",
    "DiaSource",
    "GentypeOfClassId",
    "ImportPPDBRunning",
    "LoadNews",
    "ObjectSummary",
    "PPDBAlert",
    "PPDBDiaForcedSource",
    "PPDBDiaObject",
    "PPDBDiaSource",
    "PPDBEncodedObject",
    "PackedLightCurve",
    "PlannedSpectra",
    "SendBatch",
    "SendRun",
    "SpectrumInfo",
    "StaleObjects",
    "TrainingAlert",
    "TrainingDiaForcedSource",
    "TrainingDiaObject",
    "TrainingDiaObjectTruth",
    "TrainingDiaSource",
    "UnknownSource",
    "WantedSpectra",
]
