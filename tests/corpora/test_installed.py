"""The demo's text is the same bytes on every machine."""

import hashlib
from itertools import islice

import pytest

from neuroncensus.corpora.installed import SOURCES, SPLITS, installed_documents, installed_version
from neuroncensus.corpora.mathematics import worksheets

EXPECTED = {
    ("wikipedia", "train"): (8027, "df9ea2fe2ba1fe70bea5ef06614622a5275365ca27281db0b933f059d9e9285e"),
    ("wikipedia", "held_out"): (2006, "2dcbedbbba240537acdcd1e1334d6ce014c556db91d77a6965e14f4fd3a66c9b"),
    ("wikipedia-fr", "train"): (7964, "4efd75f420981668ad2d8fc0883dc98bf0e5a7a8bb81439b12150407dce77458"),
    ("wikipedia-fr", "held_out"): (1991, "7fe8900c7425ecfcbd708d5ff454dcaadef63627fb8b50a5c8cdf3c95a184c41"),
    ("sympy", "train"): (684, "58e67a23de944dece204c383bd320e6427146dbe02b66b4e3bc3b7f4269ac393"),
    ("sympy", "held_out"): (170, "add525b3cd165b5d461272f5f0447a239b8a31a405d99be9a277f707ff4b6fcb"),
    ("mathematics", "train"): (8000, "57f6ae5dafa2e09d4e8275289717410d59f770350d805e0f7826a782b1b92819"),
    ("mathematics", "held_out"): (2000, "2d29956cd44be238266d51fcdc562bf37dd419792e7ea235143472cfdaaffea0"),
}


def test_every_source_and_split_has_its_checksum():
    assert set(EXPECTED) == {(source, split) for source in SOURCES for split in SPLITS}


@pytest.mark.parametrize(("source", "split"), EXPECTED)
def test_texts_are_the_expected_bytes(source: str, split: str):
    digest, count = hashlib.sha256(), 0
    for text in installed_documents(source, split):
        raw = text.encode()
        digest.update(len(raw).to_bytes(8, "little") + raw)
        count += 1
    assert (count, digest.hexdigest()) == EXPECTED[source, split]


def test_every_fifth_document_is_held_out():
    texts = list(islice(worksheets(10_000), 40))
    assert list(islice(installed_documents("mathematics", "held_out"), 8)) == texts[4::5]
    assert list(islice(installed_documents("mathematics", "train"), 4)) == texts[:4]


def test_versions_name_the_package():
    assert installed_version("sympy").startswith("sympy==")
    assert "mathematics" in installed_version("mathematics")
