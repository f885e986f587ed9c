import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from v2x.ingest.digests import idents_of
from v2x.observations import ident_of


@given(st.lists(st.text(max_size=40), max_size=20))
def test_many_texts_at_once_have_the_hash_that_each_has_alone(texts):
    assert idents_of(texts).tolist() == [ident_of(text) for text in texts]


def test_texts_of_every_length_around_a_block_have_the_same_hash():
    texts = ["字x" * (n // 4) + "." * (n % 4) for n in range(400)]
    assert idents_of(texts).tolist() == [ident_of(text) for text in texts]
    assert idents_of([]).dtype == np.int64
