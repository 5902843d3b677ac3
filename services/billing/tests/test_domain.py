"""Tax, rounding, states and limits, without servers."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from flotilla.ids import new_id
from flotilla_billing.domain.entitlements import Entitlement, period_after, period_of
from flotilla_billing.domain.lines import InvalidInvoiceError, Line, check, line_of, restored, stored, totals
from flotilla_billing.domain.money import CURRENCIES, decimal_of, major, rounded
from flotilla_billing.domain.plans import Allowance, Overage, Plans, plans
from hypothesis import given
from hypothesis import strategies as st

RATES = st.sampled_from(["0", "5.5", "7", "19", "19.0", "20", "25"]).map(Decimal)
LINES = st.lists(
    st.builds(
        Line,
        description=st.just("A"),
        quantity=st.decimals(min_value="0.000001", max_value=10**6, places=6),
        unit_price=st.integers(-(10**9), 10**9),
        tax_rate=RATES,
    ),
    min_size=1,
    max_size=20,
)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15, places=6))
def test_rounding_is_to_the_nearest_and_half_goes_away_from_zero(amount: Decimal) -> None:
    result = rounded(amount)
    assert abs(Fraction(amount) - result) <= Fraction(1, 2)
    if abs(Fraction(amount) - int(amount)) == Fraction(1, 2):
        assert abs(result) > abs(amount)
    assert rounded(-amount) == -result


@given(LINES)
def test_totals_add_up_and_tax_is_off_by_half_a_unit_a_rate_at_most(lines: list[Line]) -> None:
    found = totals(lines)
    assert found.total == found.net + found.tax
    assert found.net == sum(line.net for line in lines)
    exact = sum((Fraction(line.net) * Fraction(line.tax_rate) / 100 for line in lines), Fraction())
    assert abs(found.tax - exact) <= Fraction(len(found.parts), 2)
    assert len({part.rate for part in found.parts}) == len(found.parts)


@given(LINES, st.randoms(use_true_random=False))
def test_the_order_of_lines_changes_nothing(lines: list[Line], random: object) -> None:
    shuffled = list(lines)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert totals(shuffled) == totals(lines)
    assert restored(stored(lines)) == tuple(lines)


@given(st.integers(1, 10**9), st.integers(1, 50), RATES)
def test_splitting_a_line_leaves_the_tax_as_it_is(price: int, pieces: int, rate: Decimal) -> None:
    whole = totals([Line("A", Decimal(pieces), price, rate)])
    assert totals([Line("A", Decimal(1), price, rate)] * pieces) == whole


def test_known_amounts() -> None:
    assert totals([Line("A", Decimal("2.5"), 999, Decimal(19))]).parts[0].net == 2498  # 2497.5
    three = [Line("A", Decimal(1), 333, Decimal(19))] * 3
    assert (totals(three).net, totals(three).tax) == (999, 190)  # 189.81, not 3 times 63
    discount = [Line("A", Decimal(1), 10000, Decimal(20)), Line("Off", Decimal(1), -1000, Decimal(20))]
    assert totals(discount).total == 10800


@pytest.mark.parametrize(
    "text", ["", "1e3", "NaN", "Infinity", " 1", "1_000", "٣", "1,5", "0.1234567", "--1"]
)
def test_only_plain_decimals_are_numbers(text: str) -> None:
    with pytest.raises(ValueError):
        decimal_of(text, decimals=6)


def test_amounts_are_written_with_the_decimals_of_their_currency() -> None:
    assert [major(123450, code) for code in ("EUR", "JPY", "KWD")] == ["1234.50", "123450", "123.450"]
    assert major(5, "EUR") == "0.05"
    assert len(CURRENCIES) > 150


@pytest.mark.parametrize(
    ("currency", "count", "price"), [("ZZZ", 1, 1), ("EUR", 0, 1), ("EUR", 101, 1), ("EUR", 1, 10**15)]
)
def test_what_can_be_no_invoice_is_refused(currency: str, count: int, price: int) -> None:
    with pytest.raises(InvalidInvoiceError):
        check(currency, [Line("A", Decimal(2), price, Decimal(0))] * count)
    with pytest.raises(InvalidInvoiceError) as refused:
        line_of(3, description=" ", quantity="1", unit_price=1, tax_rate=None, default_rate=Decimal(0))
    assert refused.value.pointer == "/lines/3/description"


def _entitled(limit: int | None = 100, **fields: object) -> Entitlement:
    known: dict[str, object] = {
        "organization_id": new_id(),
        "id": new_id(),
        "feature": "ai_requests",
        "enabled": True,
        "usage_limit": limit,
        "period_started_at": datetime(2026, 5, 1, tzinfo=UTC),
    }
    return Entitlement(**{**known, **fields})  # type: ignore[arg-type]


@given(st.lists(st.integers(0, 60), max_size=10), st.integers(1, 200))
def test_each_share_is_told_of_once_a_period_and_only_when_reached(uses: list[int], limit: int) -> None:
    entitlement, told = _entitled(limit), list[int]()
    for amount in uses:
        entitlement, due = entitlement.counting(
            amount, entitlement.period_started_at, resets=True
        ).acknowledged()
        told += due
    assert told == [share for share in (80, 100) if sum(uses) * 100 >= limit * share]
    assert entitlement.blocked == (sum(uses) >= limit)


def test_a_new_period_begins_at_nothing_and_a_late_use_changes_nothing_now() -> None:
    may = _entitled(used=90, told=80)
    june = may.counting(5, datetime(2026, 6, 1, tzinfo=UTC), resets=True)
    assert (june.used, june.told, june.period_started_at.month) == (5, 0, 6)
    assert june.counting(50, datetime(2026, 5, 1, tzinfo=UTC), resets=True) == june
    assert may.at(datetime(2026, 6, 1, tzinfo=UTC), resets=True).used == 0
    assert may.at(datetime(2026, 6, 1, tzinfo=UTC), resets=False).used == 90


def test_another_plan_tells_what_it_has_to() -> None:
    full, _ = _entitled(used=100).acknowledged()
    assert full.blocked
    raised, due = full.allowing(Allowance(limit=110)).acknowledged()
    assert (raised.blocked, raised.told, due) == (False, 80, ())
    assert raised.counting(10, raised.period_started_at, resets=True).acknowledged()[1] == (100,)
    assert full.allowing(None).blocked
    assert not full.allowing(Allowance()).blocked
    charged = full.allowing(Allowance(limit=10, beyond="overage", overage=Overage(100, 1000)))
    assert not charged.blocked


def test_periods_are_calendar_months_in_utc() -> None:
    moment = datetime(2026, 12, 31, 23, 30, tzinfo=UTC) + timedelta(hours=1)
    assert period_of(moment) == datetime(2027, 1, 1, tzinfo=UTC)
    assert period_after(datetime(2026, 12, 1, tzinfo=UTC)) == datetime(2027, 1, 1, tzinfo=UTC)


def test_the_plans_hold_together() -> None:
    assert list(plans().plans) == ["free", "pro", "enterprise"]
    assert Overage(amount_minor=100, per=1000).cost(1001) == 200
    assert Overage(amount_minor=100, per=1000).cost(-5) == 0
    with pytest.raises(ValueError, match="there are not"):
        Plans(trial=plans().trial, features={}, plans=plans().plans)
