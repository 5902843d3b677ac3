"""Feature flags in memory: the nearest word says, the same people each time, asked through OpenFeature."""

from flotilla.flags import Flag, Flags, asking
from flotilla.ids import PLATFORM_ORG, new_id
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason

KEY = "quick-replies"


def _flags(*known: tuple[object, str, Flag], environment: str = "staging") -> Flags:
    flags = Flags()
    flags.environment = environment
    flags.know(known)  # type: ignore[arg-type]
    return flags


def test_the_nearest_word_says() -> None:
    org, other = new_id(), new_id()
    on, off = Flag(KEY, True, 100), Flag(KEY, False, 100)
    flags = _flags((PLATFORM_ORG, "any", off), (PLATFORM_ORG, "staging", on), (org, "any", off))
    assert flags.is_on(KEY, other), "the platform's, of this environment"
    assert not flags.is_on(KEY, org), "the organization's own comes first"
    assert not _flags(
        (PLATFORM_ORG, "any", off), (PLATFORM_ORG, "staging", on), environment="production"
    ).is_on(KEY, other)
    assert flags.is_on("unknown", org, default=True), "who asks says what nobody said"
    assert flags.keys(org) == [KEY]


def test_a_share_is_the_same_each_time_and_only_grows() -> None:
    org = new_id()
    people = [new_id() for _ in range(4000)]
    on: dict[int, set[object]] = {}
    for percentage in (0, 10, 50, 100):
        flags = _flags((org, "any", Flag(KEY, True, percentage)))
        on[percentage] = {person for person in people if flags.is_on(KEY, org, person)}
        assert on[percentage] == {person for person in people if flags.is_on(KEY, org, person)}
        assert abs(len(on[percentage]) - percentage * 40) < 160, "about that many of a hundred"
    assert on[0] == set()
    assert on[10] < on[50] < on[100] == set(people)
    other = _flags((org, "any", Flag("other", True, 50)))
    assert {person for person in people if other.is_on("other", org, person)} != on[50]


def test_openfeature_says_why() -> None:
    org = new_id()
    client = _flags((org, "any", Flag(KEY, True, 100))).client
    said = client.get_boolean_details(KEY, False, asking(org))
    assert (said.value, said.variant, said.reason) == (True, "on", Reason.TARGETING_MATCH)
    assert client.get_boolean_details("unknown", True, asking(org)).reason == Reason.DEFAULT
    assert client.get_boolean_details(KEY, False).error_code == ErrorCode.INVALID_CONTEXT
    wrong = client.get_string_details(KEY, "fallback", asking(org))
    assert (wrong.value, wrong.error_code) == ("fallback", ErrorCode.TYPE_MISMATCH)
