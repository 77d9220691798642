"""Which licence a file or a folder names, as an SPDX name: a best effort, to be looked at by people."""

from __future__ import annotations

import re

FILE_NAMES = re.compile(r"^(licen[cs]e|copying|unlicense)([.-].*)?$", re.IGNORECASE)
_IDENTIFIER = re.compile(r"SPDX-License-Identifier:\s*([A-Za-z0-9.+() -]{1,100})")
# In this order: a text that matches an earlier one may hold a later one's words as well.
_PHRASES = (
    ("AGPL-3.0", r"GNU AFFERO GENERAL PUBLIC LICENSE\s+Version 3"),
    ("LGPL-3.0", r"GNU LESSER GENERAL PUBLIC LICENSE\s+Version 3"),
    ("LGPL-2.1", r"GNU LESSER GENERAL PUBLIC LICENSE\s+Version 2\.1"),
    ("GPL-3.0", r"GNU GENERAL PUBLIC LICENSE\s+Version 3"),
    ("GPL-2.0", r"GNU GENERAL PUBLIC LICENSE\s+Version 2"),
    ("MPL-2.0", r"Mozilla Public License,? Version 2\.0"),
    ("Apache-2.0", r"Apache License,?\s+Version 2\.0"),
    ("PSF-2.0", r"PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2"),
    ("BSL-1.0", r"Boost Software License - Version 1\.0"),
    ("CC0-1.0", r"CC0 1\.0 Universal"),
    ("Unlicense", r"This is free and unencumbered software released into the public domain"),
    ("ISC", r"Permission to use, copy, modify,? and(/or)? distribute this software"),
    ("MIT", r"Permission is hereby granted, free of charge, to any person obtaining a copy"),
    ("BSD-3-Clause", r"Redistribution and use in source and binary forms.*Neither the name"),
    ("BSD-2-Clause", r"Redistribution and use in source and binary forms"),
)
_PATTERNS = [(name, re.compile(r"\s+".join(phrase.split(" ")), re.IGNORECASE | re.DOTALL)) for name, phrase in _PHRASES]
_HEAD = 2_000


def stated(source: str) -> str:
    """The licence that a source file states at its top; empty where it states none."""
    found = _IDENTIFIER.search(source[:_HEAD])
    return found.group(1).strip() if found else ""


def recognised(text: str) -> str:
    """The licence whose text this is; empty where it is not recognised."""
    return stated(text) or next((name for name, pattern in _PATTERNS if pattern.search(text)), "")
