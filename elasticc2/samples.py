"""Programs for broker teams to start from: they work as they are printed, beside the files of the schemas."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from string import Template

from django.conf import settings

from elasticc2.taxonomy import IA
from tom_desc.streams.schemas import ALERT, BROKER_CLASSIFICATION


@dataclass(frozen=True)
class Samples:
    """Python: reads alerts from Kafka; answers them there; gives an answer over REST."""

    read: str
    answer: str
    put: str


def samples(*, url: str, username: str, brokers: Collection[str] | None, topics: Sequence[str]) -> Samples:
    """Programs for an account.

    Parameters
    ----------
    url
        The TOM's own address, without the final slash.
    topics
        Where we listen, the most likely first.
    """
    broker = min(brokers, default="MyBroker") if brokers else "MyBroker"
    words = {
        "server": settings.KAFKA_PUBLIC_SERVER,
        "alerts": settings.ALERTS_TEST_TOPIC,
        "group": f"{username}-test",
        "answers": next(iter(topics), "classifications"),
        "broker": broker,
        "url": url,
        "username": username,
        "alert_schema": f"{ALERT}.avsc",
        "answer_schema": f"{BROKER_CLASSIFICATION}.avsc",
        "classid": IA,
    }
    # A JSON string is a Python one.
    quoted = {name: json.dumps(word) for name, word in words.items()}
    return Samples(*(program.substitute(quoted).strip() for program in (READ, ANSWER, PUT)))


READ = Template("""
import io
import fastavro
from confluent_kafka import Consumer

schema = fastavro.schema.load_schema($alert_schema)
consumer = Consumer({"bootstrap.servers": $server, "group.id": $group, "auto.offset.reset": "earliest"})
consumer.subscribe([$alerts])
while True:
    message = consumer.poll(1)
    if message and not message.error():
        alert = fastavro.schemaless_reader(io.BytesIO(message.value()), schema, schema)
        print(alert["alertId"], alert["diaSource"]["midPointTai"], alert["diaSource"]["psFlux"], flush=True)
""")
ANSWER = Template("""
import io
import time
import fastavro
from confluent_kafka import Consumer, Producer

alert_schema = fastavro.schema.load_schema($alert_schema)
answer_schema = fastavro.schema.load_schema($answer_schema)
consumer = Consumer({"bootstrap.servers": $server, "group.id": $group, "auto.offset.reset": "earliest"})
consumer.subscribe([$alerts])
producer = Producer({"bootstrap.servers": $server})
while True:
    message = consumer.poll(1)
    if message and not message.error():
        alert = fastavro.schemaless_reader(io.BytesIO(message.value()), alert_schema, alert_schema)
        answer = {
            "alertId": alert["alertId"],
            "diaSourceId": alert["diaSource"]["diaSourceId"],
            "elasticcPublishTimestamp": message.timestamp()[1],
            "brokerIngestTimestamp": int(time.time() * 1000),
            "brokerName": $broker,
            "brokerVersion": "1.0",
            "classifierName": "MyClassifier",
            "classifierParams": "",
            "classifications": [{"classId": $classid, "probability": 1.0}],
        }
        value = io.BytesIO()
        fastavro.schemaless_writer(value, answer_schema, answer)
        producer.produce($answers, value.getvalue())
        producer.flush()
""")
PUT = Template("""
import time
from tom_client import TomClient

tom = TomClient(url=$url, username=$username, passwordfile="secret.txt")
now_ms = int(time.time() * 1000)
answer = {
    "alertId": 1,
    "diaSourceId": 1,
    "elasticcPublishTimestamp": now_ms,
    "brokerIngestTimestamp": now_ms,
    "brokerName": $broker,
    "brokerVersion": "1.0",
    "classifierName": "MyClassifier",
    "classifierParams": "",
    "classifications": [{"classId": $classid, "probability": 1.0}],
}
reply = tom.put("elasticc2/brokermessage/?dry_run=yes", json=[answer])
print(reply.status_code, reply.text)
""")
