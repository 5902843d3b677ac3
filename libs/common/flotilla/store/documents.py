"""The document store: bodies of messages and transcripts, written once under an id fixed beforehand.

A thin guard over PyMongo's asyncio client (the maintained successor of motor, with the same API): it
refuses to run inside a Postgres transaction, and offers only what is safe to repeat.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pymongo import AsyncMongoClient, UpdateOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError

from flotilla.outside import forbid_in_transaction

Document = dict[str, Any]
DUPLICATE_KEY = 11000


class Collection:
    """Documents of many organizations; every look-up names one."""

    def __init__(self, collection: "AsyncCollection[Document]") -> None:
        self._collection = collection
        self._indexed = False

    async def insert_many_once(self, documents: Sequence[Document], *, touch: str | None = None) -> None:
        """Write documents whose `_id` is fixed; one that stands already is left as it is.

        But for its field `touch`, which is set anew: so a sweep by that field doesn't take what is wanted again.
        """
        forbid_in_transaction("documents")
        if not documents:
            return
        await self._index_organizations()
        try:
            await self._collection.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            failures = (error.details or {}).get("writeErrors", [])
            if any(failure.get("code") != DUPLICATE_KEY for failure in failures):
                raise
            if touch is not None:
                await self._touch([documents[failure["index"]] for failure in failures], touch)

    async def _touch(self, standing: Sequence[Document], touch: str) -> None:
        updates = [
            UpdateOne(
                {"_id": document["_id"], "organization_id": document["organization_id"]},
                {"$set": {touch: document[touch]}},
            )
            for document in standing
        ]
        await self._collection.bulk_write(updates, ordered=False)

    async def _index_organizations(self) -> None:
        """Before the first of this process are written, so that no look-up goes through everybody's documents.

        With the id behind it, for servers that use one index only and not always that of the id.
        """
        if not self._indexed:
            await self._collection.create_index([("organization_id", 1), ("_id", 1)])
            self._indexed = True

    async def find_by_ids(self, org: UUID, ids: Sequence[UUID]) -> dict[UUID, Document]:
        """The documents with these ids, by id; missing ones are missing."""
        forbid_in_transaction("documents")
        found = self._collection.find({"_id": {"$in": list(ids)}, "organization_id": org})
        return {document["_id"]: document for document in await found.to_list()}

    async def update_one(self, org: UUID, document_id: UUID, update: Mapping[str, Any]) -> None:
        """Apply an update that may be applied twice (`$set`, `$unset`, `$addToSet`)."""
        forbid_in_transaction("documents")
        await self._collection.update_one({"_id": document_id, "organization_id": org}, update)

    async def delete_by_ids(self, org: UUID, ids: Sequence[UUID]) -> int:
        """Remove these: how many there were."""
        forbid_in_transaction("documents")
        result = await self._collection.delete_many({"_id": {"$in": list(ids)}, "organization_id": org})
        return result.deleted_count

    async def delete_of(self, org: UUID) -> int:
        """Remove all of an organization: how many there were."""
        forbid_in_transaction("documents")
        return (await self._collection.delete_many({"organization_id": org})).deleted_count

    async def all_of(self, org: UUID, at_once: int) -> AsyncIterator[list[Document]]:
        """All of an organization, some at a time."""
        forbid_in_transaction("documents")
        found: list[Document] = []
        async for document in self._collection.find({"organization_id": org}).batch_size(at_once):
            found.append(document)
            if len(found) == at_once:
                yield found
                found = []
        if found:
            yield found

    async def index(self, field: str) -> None:
        """Make sure that `field` has an index."""
        forbid_in_transaction("documents")
        await self._collection.create_index(field)

    async def between(self, field: str, first: datetime, last: datetime, limit: int) -> list[Document]:
        """`_id`, `organization_id` and `field` of documents with first <= field < last, in order of it."""
        forbid_in_transaction("documents")
        query = {field: {"$gte": first, "$lt": last}}
        found = self._collection.find(query, {"organization_id": 1, field: 1}).sort(field, 1).limit(limit)
        return await found.to_list()

    async def delete_before(self, org: UUID, ids: Sequence[UUID], field: str, last: datetime) -> int:
        """Remove those of these whose `field` is still before `last`: how many there were."""
        forbid_in_transaction("documents")
        query = {"_id": {"$in": list(ids)}, "organization_id": org, field: {"$lt": last}}
        return (await self._collection.delete_many(query)).deleted_count

    async def ids_between(self, first: UUID, last: UUID, limit: int) -> list[tuple[UUID, UUID]]:
        """(id, organization) of documents with first <= id < last, in order; ids sort by time."""
        forbid_in_transaction("documents")
        query = {"_id": {"$gte": first, "$lt": last}}
        found = self._collection.find(query, {"organization_id": 1}).sort("_id", 1).limit(limit)
        return [(document["_id"], document["organization_id"]) for document in await found.to_list()]


class Documents:
    """One service's database in the document store."""

    def __init__(self, client: "AsyncMongoClient[Document]", database: str) -> None:
        self._client = client
        self._database = client.get_database(database)
        self._collections: dict[str, Collection] = {}

    @classmethod
    def open(cls, url: str, database: str) -> "Documents":
        """Connects when first used."""
        client: AsyncMongoClient[Document] = AsyncMongoClient(
            url,
            uuidRepresentation="standard",
            tz_aware=True,
            serverSelectionTimeoutMS=5000,
            socketTimeoutMS=10000,
            connectTimeoutMS=5000,
            maxPoolSize=8,
            appname="flotilla",
        )
        return cls(client, database)

    def collection(self, name: str) -> Collection:
        """A collection; it comes to be with its first document."""
        if name not in self._collections:
            self._collections[name] = Collection(self._database.get_collection(name))
        return self._collections[name]

    async def ping(self) -> None:
        """Raise where the store does not answer."""
        await self._client.admin.command("ping")

    async def drop(self) -> None:
        """Remove the whole database: for tests."""
        await self._client.drop_database(self._database.name)
        self._collections.clear()

    async def close(self) -> None:
        """Close its connections."""
        await self._client.close()
