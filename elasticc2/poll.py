"""Poll: what brokers say on Kafka, decoded and stored as broker messages."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from elasticc2.ingest import classifier_ids, ingest_stream
from tom_desc.streams import decode as decoding
from tom_desc.streams.batches import Batch
from tom_desc.streams.classifications import Classifications, Classifier, Reject
from tom_desc.streams.positions import Place


@dataclass
class Opinions:
    """A batch's messages that are valid, and why the others are not."""

    batch: Batch
    valid: Classifications
    rejects: Sequence[Reject]
    ids: dict[Classifier, int] = field(default_factory=dict)

    def prepare(self) -> None:
        """Make the classifiers that are new."""
        self.ids = classifier_ids(self.valid.classifiers)

    def store(self, cursor: Any) -> dict[Place, int]:
        """Store the valid messages; how many were new, by topic and partition."""
        rows = self.valid.places
        return ingest_stream(
            cursor,
            self.valid,
            self.ids,
            topics=self.batch.topics[rows],
            partitions=self.batch.partitions[rows],
            offsets=self.batch.offsets[rows],
        )


def decode(batch: Batch) -> Opinions:
    """Decode brokerClassification v0.9.1 messages, each a bare Avro record."""
    return Opinions(batch, *decoding.decode(batch.values, batch.kafka_ms))
