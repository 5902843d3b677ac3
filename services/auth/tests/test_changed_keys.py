"""Derivation keys are changed while auth runs, in replicas that know both: nobody notices, and the old one can go."""

from flotilla.secrets import new_key
from flotilla.security.keyed_hashes import counted
from flotilla.testing.harness import running
from flotilla_auth.sealed import HASHED
from flotilla_auth.service import service
from flotilla_auth.testing import People
from flotilla_auth.workers import rehash

ADDRESSES = next(column for column in HASHED if column.table == "credentials")


async def test_people_sign_in_while_the_key_of_their_addresses_hashes_is_changed() -> None:
    """And nobody gets an address twice, under whichever key it was taken."""
    async with running(service, "changed") as before:
        old, new = before.instance.secrets.derivation_keyring, f"d2:{new_key('d2').key}"
        owner = await People(before).owner()
        async with running(service, instance=before.instance, derivation_keys=f"{new},{old}") as both:
            assert (await People(both).sign_in(owner.email)).status == 200
            later = await People(both).owner()
            assert {(await People(both).sign_up(each.email)).status for each in (owner, later)} == {409}
            async with running(
                service, instance=before.instance, derivation_keys=f"{old},{new}"
            ) as neighbour:
                assert (await People(neighbour).sign_in(later.email)).status == 200, "known before it is used"
                assert (await People(neighbour).sign_up(later.email)).status == 409
            await rehash(both.app)
            async with both.app.db.pool.acquire() as connection:
                assert await counted(connection, "auth", ADDRESSES) == {"d2": 2}
        async with running(service, instance=before.instance, derivation_keys=new) as after:
            for each in (owner, later):
                assert (await People(after).sign_in(each.email)).status == 200, "the old one is gone"
