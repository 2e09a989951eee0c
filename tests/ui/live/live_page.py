"""What a test of a page without a browser sees of it."""

from explorer.background.lane import Lane

CURVE, SCAN = Lane("curve"), Lane("scan")


class RerunError(Exception):
    """What st.rerun is here: the names that were asked for; none is the whole page."""
