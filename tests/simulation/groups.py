"""The group coordinator: sessions, static members, rebalances that take all back first."""

import asyncio
from dataclasses import dataclass, field

from aiokafka.errors import IllegalGenerationError, UnknownMemberIdError

SESSION_S = 6.0


@dataclass(eq=False)
class Member:
    """A member by its instance id; `identity` changes with each new process of that name."""

    identity: object
    heard: float
    joined: asyncio.Future | None = None
    partitions: tuple[int, ...] = ()


@dataclass(eq=False)
class Group:
    """The members of a group and its generation; while `is_joining` all have to join again."""

    members: dict[str, Member] = field(default_factory=dict)
    generation: int = 0
    is_joining: bool = False


class Groups:
    """Assigns partitions to members."""

    def __init__(self, cluster) -> None:
        self._cluster = cluster
        self._groups: dict[str, Group] = {}

    def names(self, group):
        """The instance ids of the members."""
        return set(self._group(group).members)

    def join(self, group_name, instance, identity, partitions):
        """Become a member; the future has (generation, partitions) when all have joined."""
        group = self._group(group_name)
        future = asyncio.get_running_loop().create_future()
        member = group.members.get(instance)
        is_same_place = member is not None and member.identity is not identity
        if is_same_place and not group.is_joining:
            # a static member comes back: it is given its partitions at once
            group.members[instance] = Member(identity, self._cluster.now(), None, member.partitions)
            future.set_result((group.generation, member.partitions))
            return future
        if member is None or is_same_place:
            member = group.members[instance] = Member(identity, self._cluster.now())
        member.heard = self._cluster.now()
        member.joined = future
        if not group.is_joining:
            group.is_joining = True
            self._cluster.background(self._rebalance(group, partitions))
        return future

    def heartbeat(self, group_name, instance, identity, generation):
        """Say that a member lives. Returns True if it has to join again."""
        group = self._group(group_name)
        member = self._member(group, instance, identity)
        member.heard = self._cluster.now()
        if group.is_joining:
            return True
        if generation != group.generation:
            raise IllegalGenerationError
        return False

    def commit(
        self, group_name, instance, identity, generation, topic, partition, position, note=""
    ):
        """Commit a position as a member."""
        group = self._group(group_name)
        self._member(group, instance, identity)
        if generation != group.generation:
            raise IllegalGenerationError
        self._cluster.commit(group_name, topic, partition, position, note)

    def leave(self, group_name, instance, identity, partitions):
        """Stop being a member; the others share its partitions."""
        group = self._group(group_name)
        member = group.members.get(instance)
        if member is not None and member.identity is identity:
            del group.members[instance]
            self._begin(group, partitions)

    async def watch(self, group_name, partitions):
        """Drop members that have not been heard for a session, for ever."""
        group = self._group(group_name)
        while True:
            await asyncio.sleep(0.5)
            late = [
                name
                for name, member in group.members.items()
                if self._cluster.now() - member.heard > SESSION_S
            ]
            for name in late:
                self._cluster.trace("brokers", f"{group_name}: the session of {name} is over")
                del group.members[name]
            if late:
                self._begin(group, partitions)

    def _begin(self, group, partitions):
        if group.members and not group.is_joining:
            group.is_joining = True
            self._cluster.background(self._rebalance(group, partitions))

    async def _rebalance(self, group, partitions):
        began = self._cluster.now()
        while self._cluster.now() - began < SESSION_S:
            if all(member.joined for member in group.members.values()):
                break
            await asyncio.sleep(0.05)
        group.members = {name: m for name, m in group.members.items() if m.joined}
        group.generation += 1
        group.is_joining = False
        names = sorted(group.members)
        for at, name in enumerate(names):
            member = group.members[name]
            member.partitions = tuple(range(partitions)[at :: len(names)])
            joined, member.joined = member.joined, None
            member.heard = self._cluster.now()
            if not joined.done():
                joined.set_result((group.generation, member.partitions))

    def _group(self, name):
        return self._groups.setdefault(name, Group())

    def _member(self, group, instance, identity):
        member = group.members.get(instance)
        if member is None or member.identity is not identity:
            # aiokafka does not send its instance id here, so nobody is told that he was fenced
            raise UnknownMemberIdError
        return member
