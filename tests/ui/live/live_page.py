"""What a test of a page without a browser sees of it."""


class RerunError(Exception):
    """What st.rerun is here: the names that were asked for; none is the whole page."""
