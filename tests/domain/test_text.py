"""What can't be stored is seen to be missing, and nothing else is touched."""

from app.domain.text import storable


def test_nul_and_lone_surrogates_are_replaced_one_by_one() -> None:
    assert storable("a\x00b\ud800\udc00c") == "a\ufffdb\ufffd\ufffdc"
    assert storable("é\u0001\U0001f600\n") == "é\u0001\U0001f600\n"
