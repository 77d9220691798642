"""Code to grow problems from."""

from __future__ import annotations

SEED = '''
    def normalise(self, path, sep):
        """Collapse repeated separators in a path."""
        parts = [part for part in path.split(sep) if part]
        if len(parts) > self.limit:
            raise ValueError('too many parts')
        result = sep.join(parts)
        if path.startswith(sep):
            result = sep + result
        return result or sep

    def widths(self, rows):
        longest = 0
        for row in rows:
            longest = max(longest, len(row))
        return [longest - len(row) for row in rows]
'''
