"""Reads files that people bring, in a process of its own: see `app.features.seeds.child`.

Nothing in here touches the database. Every reader yields seeds and rejections one by one, and keeps little in memory.
"""
