"""A real Apache Kafka on this machine; neither Docker nor an installed Java is needed.

    with LocalKafka() as kafka:  # a few seconds; the first time it downloads the broker
        kafka.bootstrap          # "127.0.0.1:23817"

`python -m streams.devtools.local_kafka start|stop|address` runs one that outlives the command and
keeps its data. Start with `cluster.py`; `jars.py` downloads, `broker.py` is one process, and
`secured.py` has the certificate and passwords of a cluster that knows its clients.
"""

from streams.devtools.local_kafka.broker import QUICK_START, free_ports
from streams.devtools.local_kafka.cluster import LocalKafka
from streams.devtools.local_kafka.jars import LocalKafkaError

__all__ = ["QUICK_START", "LocalKafka", "LocalKafkaError", "free_ports"]
