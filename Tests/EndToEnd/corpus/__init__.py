# SPDX-License-Identifier: Apache-2.0
# Ambiguous messages by their published classes, each with what we make of it; those of test_refusals are among them.

from dataclasses import replace

import test_refusals
from corpus import chunks, framing, heads
from corpus.case import refused

FAMILIES = {
    "CL.TE": framing.CL_TE,
    "TE.CL": framing.TE_CL,
    "TE.TE": framing.TE_TE,
    "CL.CL": framing.CL_CL,
    "CL.0, TE.0 and 0.CL": framing.NO_BODY,
    "chunk sizes": chunks.SIZES,
    "chunk extensions": chunks.EXTENSIONS,
    "chunk terminators": chunks.TERMINATORS,
    "trailers": chunks.TRAILERS,
    "header names": heads.NAMES,
    "line ends": heads.LINES,
    "hosts": heads.HOSTS,
    "versions": heads.VERSIONS,
    "Upgrade and CONNECT": heads.LEAVING,
    "Expect": heads.EXPECTING,
    "heads of test_refusals": {name: refused(data, status) for name, (status, data) in test_refusals.HEADS.items()},
    "bodies of test_refusals": {name: chunks.broken(data) for name, data in test_refusals.BODIES.items()},
}

CORPUS = {
    f"{family}: {name}": replace(case, family=family) for family, cases in FAMILIES.items() for name, case in cases.items()
}
