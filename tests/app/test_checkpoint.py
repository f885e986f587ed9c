"""Files of checkpoints: what goes in comes out, and nothing that was touched is believed."""

import os
from pathlib import Path

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2x.app.checkpoint import NAMES, CheckpointError, Checkpoints, Context, packed, unpacked

OURS = Context("1.0", "c0ffee", "20nes")
STATE = {
    "numbers": np.arange(4_000, dtype=np.int64),
    "noise": np.random.default_rng(5).normal(size=(300, 6)),
    "texts": [[7, "rid:一二三"], [8, "icao:780abc"]],
}

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.floats(allow_nan=False),
    st.text(st.characters()),
    st.binary(),
)
plain = st.recursive(
    scalars, lambda some: st.lists(some) | st.dictionaries(st.text(), some), max_leaves=20
)


@settings(max_examples=40)
@given(plain)
def test_plain_data_comes_back_as_it_was(value) -> None:
    back = unpacked(packed(value))
    assert back == value
    assert repr(back) == repr(value)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(0, np.int64),
        np.zeros((0, 3), np.float32),
        np.array([[1.5, np.nan], [-0.0, np.inf]]),
        np.array([True, False]),
        np.array([1 << 62, -1]),
        np.arange(12, dtype=np.uint16).reshape(3, 4)[:, ::2],
        np.arange(6, dtype=">i4"),
    ],
    ids=str,
)
def test_arrays_come_back_with_dtype_and_shape_and_may_be_written_to(array) -> None:
    back = unpacked(packed({"a": [array]}))["a"][0]
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert back.tobytes() == array.tobytes()
    back[...] = 0


@pytest.mark.parametrize("number", [np.int64(3), np.float32(0.1), np.bool_(True), np.uint8(7)])
def test_a_number_of_numpy_stays_one(number) -> None:
    back = unpacked(packed(number))
    assert (type(back), back) == (type(number), number)


@pytest.mark.parametrize("value", [{1}, object(), np.array([object()]), np.array(["x"])])
def test_what_is_no_plain_data_is_refused(value) -> None:
    with pytest.raises(TypeError, match="no plain data"):
        packed(value)


def test_an_array_of_objects_is_not_read() -> None:
    for code, content in ((1, ("|O", (1,), b"\0" * 8)), (1, ("<U1", (1,), b"x\0\0\0")), (9, 0)):
        data = msgpack.packb(msgpack.ExtType(code, msgpack.packb(content)))
        with pytest.raises(ValueError, match=r"an array of|unknown type"):
            unpacked(data)


def saved(folder: Path, *states: dict, context: Context = OURS) -> None:
    checkpoints = Checkpoints(folder, context)
    for state in states:
        checkpoints.save(state)
    checkpoints.close()
    assert (checkpoints.written, checkpoints.failed) == (len(states), 0)


def found(folder: Path, context: Context = OURS) -> tuple[str | None, list[str]]:
    """Mark of the state that is used, and the reasons against others."""
    checkpoints = Checkpoints(folder, context)
    try:
        return checkpoints.resume(lambda state: state["mark"])
    finally:
        checkpoints.close()


def test_the_newest_is_used_and_two_are_kept(tmp_path: Path) -> None:
    assert found(tmp_path) == (None, [])
    for marks in ("a", "ab", "abc"):
        saved(tmp_path / marks, *({"mark": m} for m in marks))
        assert found(tmp_path / marks) == (marks[-1], [])
    assert sorted(os.listdir(tmp_path / "abc")) == ["newest.checkpoint", "previous.checkpoint"]
    (tmp_path / "abc" / "newest.checkpoint").unlink()  # as after a kill between the two renames
    assert found(tmp_path / "abc") == ("b", [])


def test_nobody_else_may_read_where_everybody_went(tmp_path: Path) -> None:
    saved(tmp_path / "c", {"mark": "a"})
    assert (tmp_path / "c").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "c" / "newest.checkpoint").stat().st_mode & 0o777 == 0o600


def test_a_restart_keeps_the_one_it_went_on_from_until_there_are_two_newer(tmp_path: Path) -> None:
    saved(tmp_path, {"mark": "a"}, {"mark": "b"})
    newest = tmp_path / f"{NAMES[0]}.checkpoint"
    newest.write_bytes(newest.read_bytes()[:-1])
    checkpoints = Checkpoints(tmp_path, OURS)
    assert checkpoints.resume(lambda state: state["mark"])[0] == "a"
    checkpoints.save({"mark": "c"})
    checkpoints.close()
    assert found(tmp_path) == ("c", [])
    newest.unlink()
    assert found(tmp_path) == ("a", [])


@pytest.mark.parametrize(
    ("theirs", "why"),
    [
        (Context("1.1", "c0ffee", "20nes"), "version '1.1' is not ours, '1.0'"),
        (Context("1.0", "decaf", "20nes"), "config_hash 'decaf' is not ours, 'c0ffee'"),
        (Context("1.0", "c0ffee", "more"), "zones_hash 'more' is not ours, '20nes'"),
    ],
)
def test_one_of_another_version_configuration_or_zones_is_named_and_the_older_taken(
    tmp_path: Path, theirs: Context, why: str
) -> None:
    saved(tmp_path, {"mark": "ours"})
    (tmp_path / "newest.checkpoint").rename(tmp_path / "previous.checkpoint")
    saved(tmp_path, {"mark": "theirs"}, context=theirs)
    assert found(tmp_path) == ("ours", [f"newest: {why}"])
    assert found(tmp_path, theirs)[0] == "theirs"


def test_one_of_a_later_format_is_named(tmp_path: Path) -> None:
    saved(tmp_path, {"mark": "a"})
    path = tmp_path / "newest.checkpoint"
    path.write_bytes(path.read_bytes().replace(b"checkpoint 1\n", b"checkpoint 20\n"))
    assert found(tmp_path) == (None, ["newest: of format 20"])


def test_one_that_cannot_be_restored_is_passed_over_and_said(tmp_path: Path) -> None:
    saved(tmp_path, {"mark": "a"}, {"nothing": "b"})
    assert found(tmp_path) == ("a", ["newest: cannot be restored: KeyError: 'mark'"])


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    saved(tmp_path, STATE)
    path = tmp_path / "newest.checkpoint"
    whole = path.read_bytes()
    checkpoints = Checkpoints(tmp_path, OURS)
    read = checkpoints.read("newest")
    assert read is not None
    assert packed(read) == packed(STATE)
    path.write_bytes(whole + b"\0")
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoints.read("newest")
    assert len(whole) > 3 * 4096
    for cut in (*range(len(whole) - 1, len(whole) - 4096, -1), *range(200, -1, -1)):
        os.truncate(path, cut)
        with pytest.raises(CheckpointError, match="damaged"):
            checkpoints.read("newest")
    checkpoints.close()


def put(path: Path, at: int, byte: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(bytes([byte]))


def test_a_file_with_one_bit_flipped_is_refused(tmp_path: Path) -> None:
    saved(tmp_path, STATE)
    path = tmp_path / "newest.checkpoint"
    whole = path.read_bytes()
    checkpoints = Checkpoints(tmp_path, OURS)
    rng = np.random.default_rng(17)
    for bit in [*range(8 * 64), *rng.integers(0, 8 * len(whole), 200).tolist()]:
        at, sound = bit // 8, whole[bit // 8]
        put(path, at, sound ^ 1 << bit % 8)
        with pytest.raises(CheckpointError, match=r"damaged|of format \d"):
            checkpoints.read("newest")
        put(path, at, sound)
    assert checkpoints.read("newest") is not None
    checkpoints.close()


def test_a_disk_that_takes_nothing_stops_nothing_and_is_counted(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    checkpoints = Checkpoints(tmp_path / "file", OURS)
    checkpoints.save({"mark": "a"})
    checkpoints.save({"mark": "b"})
    checkpoints.close()
    assert (checkpoints.written, checkpoints.failed) == (0, 2)
    with pytest.raises(CheckpointError, match="cannot be read"):
        checkpoints.read("newest")


def test_what_is_saved_is_the_state_of_that_moment(tmp_path: Path) -> None:
    counts = np.zeros(3, np.int64)
    checkpoints = Checkpoints(tmp_path, OURS)
    checkpoints.save({"counts": counts})
    counts[:] = 9
    checkpoints.close()
    read = checkpoints.read("newest")
    assert read is not None
    assert read["counts"].tolist() == [0, 0, 0]
