"""Pictures are told by their bytes, say nothing about who took them where, and fit the network they go to."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sandbox import IMAGES
from listener.desk import pictures
from listener.errors import Mistake
from tests.listener.desk.picture_files import SECRET, exif, gif, jpeg, png, webp

WITH_SECRETS = {
    "image/png": png((b"tEXt", b"Author\x00" + SECRET), (b"eXIf", exif()), (b"gAMA", b"\x00\x00\xb1\x8f")) + SECRET,
    "image/jpeg": jpeg(),
    "image/gif": gif(),
    "image/webp": webp(),
}
SIZES = {"image/png": (3, 2), "image/jpeg": (640, 480), "image/gif": (5, 4), "image/webp": (7, 6)}
kinds = pytest.mark.parametrize("kind", list(WITH_SECRETS))


@kinds
def test_a_picture_is_told_by_its_bytes_whatever_it_is_called(kind: str) -> None:
    picture = pictures.read("holiday.txt", WITH_SECRETS[kind])
    assert (picture.content_type, (picture.width, picture.height)) == (kind, SIZES[kind])


@kinds
def test_where_it_was_taken_never_goes_out(kind: str) -> None:
    picture = pictures.read("x", WITH_SECRETS[kind])
    assert SECRET in WITH_SECRETS[kind]
    assert SECRET not in picture.data
    assert pictures.read("x", picture.data).data == picture.data, "it is still that picture, and clean"


def test_what_shows_the_picture_stays() -> None:
    assert pictures.read("x", png()).data == png()
    assert b"gAMA" in pictures.read("x", WITH_SECRETS["image/png"]).data
    photo = pictures.read("x", jpeg()).data
    assert b"ICC_PROFILE" in photo
    assert b"Adobe" in photo
    assert b"\x12\xff\x00\x34\xff\xd3\x56" in photo
    assert photo.endswith(b"\x78\x9a\xff\xd9")
    assert b"NETSCAPE2.0" in pictures.read("x", gif()).data
    assert pictures.read("x", webp()).data[20] == 0x20, "of what stands around the picture only the colours are left"
    assert pictures.read("x", webp(extended=False)).width == 7


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("said", "kept"), [(1, b""), (6, b"\x00\x06"), (8, b"\x00\x08"), (9, b""), (0, b"")])
def test_a_photo_taken_upright_stays_upright(said: int, kept: bytes, order: str) -> None:
    data = pictures.read("x", jpeg(orientation=said, order=order)).data
    wanted = b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01" + kept
    assert (wanted in data) if kept else (b"Exif" not in data)


@kinds
def test_a_damaged_picture_is_refused(kind: str) -> None:
    whole = pictures.read("x", WITH_SECRETS[kind]).data
    for end in range(16, len(whole)):
        with pytest.raises(Mistake, match="is a damaged"):
            pictures.read("x.png", whole[:end])


@kinds
@given(data=st.data())
def test_whatever_is_in_a_file_it_is_a_picture_or_a_mistake(kind: str, data: st.DataObject) -> None:
    broken = bytearray(WITH_SECRETS[kind])
    for _ in range(data.draw(st.integers(1, 6))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    with suppress(Mistake):
        pictures.read("x", bytes(broken))


@pytest.mark.parametrize("data", [b"", b"GIF", b"%PDF-1.7", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\x00" * 99])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(Mistake) as caught:
        pictures.read("plan.pdf", data)
    assert str(caught.value) == "plan.pdf is no PNG, JPEG, GIF or WebP picture; save it as one of these."


def test_a_picture_larger_than_we_keep_is_refused() -> None:
    with pytest.raises(Mistake, match=r"big\.png is larger than 10 MB"):
        pictures.read("big.png", bytes(pictures.MAX_BYTES + 1))


def test_one_sentence_for_each_reason_why_a_network_does_not_take_it() -> None:
    one = pictures.read("a.png", png())
    few = replace(IMAGES, count=1, types=("image/jpeg",), bytes=50)
    assert pictures.misfits([one], IMAGES, "care") == []
    assert pictures.misfits([], None, "care") == []
    assert pictures.misfits([one], None, "care") == ["care takes no pictures; leave the picture out there."]
    assert pictures.misfits([one, one], few, "care")[:3] == [
        "care takes one picture in a post, and these are 2; leave some out.",
        "care takes no PNG such as a.png; it takes JPEG.",
        f"a.png has {len(one.data)} bytes, and care takes 50 bytes; make it smaller.",
    ]


@pytest.mark.parametrize(
    ("alt", "sentence"),
    [
        ("x" * 1501, "The description of a.png has 1,501 characters, and care takes 1,500; shorten it."),
        ("a\u202eb", r"The description of a.png holds '\u202e', which nobody can read; remove it."),
    ],
)
def test_a_description_is_readable_and_fits(alt: str, sentence: str) -> None:
    assert pictures.misdescribed("a.png", alt, IMAGES, "care") == [sentence]


@pytest.mark.parametrize(
    ("number", "said"), [(812, "812 bytes"), (14 * 1024, "14 KB"), (2621440, "2.5 MB"), (10 * 1024 * 1024, "10 MB")]
)
def test_sizes_are_said_in_what_people_read(number: int, said: str) -> None:
    assert pictures.size(number) == said
