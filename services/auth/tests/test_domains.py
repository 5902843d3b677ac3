"""Which domains can be an organization's own: none under which others register (the Public Suffix List)."""

import pytest
from flotilla_auth.domain.names import domain


@pytest.mark.parametrize(
    "suffix",
    [
        *("co.uk", "com.au", "kobe.jp"),
        *("github.io", "herokuapp.com", "uk.com"),
        *("CO.UK", "Co.Uk.", " co.uk "),
        *("公司.cn", "xn--55qx5d.cn", "公司。CN"),
        *("kite.ck", "kite.kawasaki.jp"),
    ],
)
def test_under_what_others_register_is_nobodys_own(suffix: str) -> None:
    with pytest.raises(ValueError, match="under which others register"):
        domain(suffix)


@pytest.mark.parametrize(
    ("own", "kept"),
    [
        ("kite.co.uk", "kite.co.uk"),
        ("shop.kite.com.au", "shop.kite.com.au"),
        ("Kite.GitHub.io", "kite.github.io"),
        ("github.com", "github.com"),
        ("kite.公司.cn", "kite.xn--55qx5d.cn"),
        ("kite.shop.ck", "kite.shop.ck"),
    ],
)
def test_what_is_registered_under_one_is_somebodys(own: str, kept: str) -> None:
    assert domain(own) == kept


@pytest.mark.parametrize("exception", ["www.ck", "shop.www.ck", "city.kawasaki.jp"])
def test_exceptions_of_a_wildcard_are_somebodys(exception: str) -> None:
    assert domain(exception) == exception


@pytest.mark.parametrize(
    "name", ["kite.test", "kite.example", "kite.localhost", "kite.internal", "kite.nobody"]
)
def test_last_labels_that_nobody_lists_have_domains_under_them(name: str) -> None:
    assert domain(name) == name
