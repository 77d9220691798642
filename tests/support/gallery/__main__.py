from __future__ import annotations

import uvicorn

from tests.support.gallery.app import create_app

uvicorn.run(create_app(), host="127.0.0.1", port=8901, log_level="warning")
