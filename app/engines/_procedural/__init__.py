"""The algorithm of the procedural engine: what runs inside its sandbox, since it executes code from seeds.

It stands beside the plug-in and not in it, because a sandbox imports it where no third-party library is. Standard
library and app.domain.values only. Plain values go in and come out of `entry`.
"""
