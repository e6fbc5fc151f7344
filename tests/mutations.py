"""Damaged copies of real files, drawn by hypothesis: what a boundary must turn into one error."""

from hypothesis import strategies as st


@st.composite
def mutated(draw, data: bytes) -> bytes:
    """Bytes of a real file with some overwritten, removed, repeated or cut off; sometimes as they were."""
    out = bytearray(data)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, max(len(out) - 1, 0)))
        match draw(st.sampled_from(["flip", "overwrite", "remove", "repeat", "cut"])):
            case "flip" if out:
                out[at] ^= 1 << draw(st.integers(0, 7))
            case "overwrite":
                out[at : at + 8] = draw(st.binary(max_size=8))
            case "remove":
                del out[at : at + draw(st.integers(1, 64))]
            case "repeat":
                out[at:at] = out[at : at + draw(st.integers(1, 64))]
            case "cut":
                del out[at:]
    return bytes(out)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def changed(draw, document):
    """A real JSON document with one value somewhere in it replaced, dropped or added."""
    if not isinstance(document, (dict, list)) or not document or draw(st.integers(0, 4)) == 0:
        return draw(JSON)
    out = document.copy()
    keys = list(out) if isinstance(out, dict) else range(len(out))
    key = draw(st.sampled_from(list(keys)[:50]))
    if draw(st.booleans()):
        out[key] = draw(changed(out[key]))
    else:
        del out[key]
    return out
