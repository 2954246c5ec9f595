# SPDX-License-Identifier: Apache-2.0
# Where other parsers take a message for something else than we do, a reason is written down.

import itertools
from fnmatch import fnmatchcase
from functools import cache

import pytest

from corpus import CORPUS, FAMILIES
from corpus.case import NEXT, NEXT_READ
from corpus.reasons import OTHERWISE, STRICTER
from oracles import by_h11, by_llhttp

ORACLES = {"h11": by_h11, "llhttp": by_llhttp}
REASONS = {"stricter": STRICTER, "otherwise": OTHERWISE}


def ours(case, method):
    own = [(method, "*", b"")] if case.own else []
    return [*own, *case.reads, *([NEXT_READ] if case.is_followed else [])]


@cache
def differing(name):
    """The tables that must have a reason, as an oracle reads the case in another way."""
    case = CORPUS[name]
    own = ours(case, case.data.split(b" ")[0].decode("latin-1"))
    tables = set()
    for oracle in ORACLES.values():
        messages, refuses = oracle(case.data + NEXT)
        if case.own:
            # Nobody gets its body.
            messages[:1] = own[:1]
        # Who waits for more has read nothing either.
        if messages != own or refuses and not case.refused:
            tables.add("stricter" if case.refused and len(messages) > len(own) else "otherwise")
    return tables


@pytest.mark.parametrize("family", FAMILIES)
def test_a_difference_to_other_parsers_has_a_reason(family):
    for name in (name for name, case in CORPUS.items() if case.family == family):
        for table in differing(name):
            patterns = itertools.chain(*REASONS[table].values())
            assert any(fnmatchcase(name, pattern) for pattern in patterns), (name, table)


@pytest.mark.parametrize("table", REASONS)
def test_every_reason_is_one_for_something(table):
    names = [name for name in CORPUS if table in differing(name)]
    for pattern in itertools.chain(*REASONS[table].values()):
        assert any(fnmatchcase(name, pattern) for name in names), pattern
