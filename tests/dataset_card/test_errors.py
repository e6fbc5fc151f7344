from dataset_card.errors import MagBridgeError, causes, innermost


def test_a_password_in_an_address_is_not_repeated():
    assert str(MagBridgeError("cannot reach https://me:secret@host/x")) == "cannot reach https://host/x"


def test_the_innermost_reason_is_one_line():
    try:
        try:
            raise OSError("no\n  route")
        except OSError as error:
            raise RuntimeError("wrapped") from error
    except RuntimeError as error:
        assert [type(e) for e in causes(error)] == [RuntimeError, OSError]
        assert innermost(error) == "no route"
