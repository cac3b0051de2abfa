"""Lets a static member of a group hear that another process has taken its name.

A member's name is in its worker's state folder. Where that folder was copied while its worker lives
(a clone of a virtual machine), two processes have one name, and brokers believe the newer. aiokafka
sends heartbeats without the name: the older hears that it is unknown, joins anew and throws the
newer out, and so they go on, about once a second. With the name the answer is clear, error 82.
"""

from functools import wraps
from typing import Any, Final

from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.group import HeartbeatRequest, HeartbeatResponse_v1
from aiokafka.protocol.types import Int32, Schema, String

FENCED_INSTANCE_ID: Final = 82


class MemberReplacedError(Exception):
    """Another process has joined the group as the member that this one was; the text is the group.

    It is none of Kafka's errors, which aiokafka would log and try again.
    """


class _HeartbeatResponse(Response):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = 12
    API_VERSION = 3
    SCHEMA = HeartbeatResponse_v1.SCHEMA


class _HeartbeatStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = 12
    API_VERSION = 3
    RESPONSE_TYPE = _HeartbeatResponse
    SCHEMA = Schema(
        ("group", String("utf-8")),
        ("generation_id", Int32),
        ("member_id", String("utf-8")),
        ("group_instance_id", String("utf-8")),
    )


class _Heartbeat(Request[_HeartbeatStruct]):  # type: ignore[misc]
    """A heartbeat with the member's name; brokers of before 2.3, which know none, are too old."""

    API_KEY = 12

    def __init__(self, *fields: Any) -> None:
        self._fields = fields

    def build(self, request_struct_class: type[_HeartbeatStruct]) -> _HeartbeatStruct:
        return request_struct_class(*self._fields)


def hear_of_replacement() -> None:
    """Let static members send their name with heartbeats. `streams.kafka.patches` calls it once."""
    send = GroupCoordinator._send_req  # noqa: SLF001

    @wraps(send)
    async def with_name(self: GroupCoordinator, request: Any) -> Any:
        name = self._group_instance_id
        if name is None or not isinstance(request, HeartbeatRequest):
            return await send(self, request)
        heartbeat = _Heartbeat(self.group_id, self.generation, self.member_id, name)
        response = await send(self, heartbeat)
        if response.error_code == FENCED_INSTANCE_ID:
            raise MemberReplacedError(self.group_id)
        return response

    GroupCoordinator._send_req = with_name  # noqa: SLF001
