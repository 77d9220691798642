"""Every component and chart in every state, with realistic content: looked at by people and by the browser tests.

`python -m tests.support.gallery` serves it at http://127.0.0.1:8901/_gallery.
"""
