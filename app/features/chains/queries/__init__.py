"""Every select of the chains feature. A page costs the same few queries whatever its number of rows."""
