"""Keeps Streamlit from asking other machines for the address of this one.

It would do so when it refuses an Origin and when it prints where it listens.
"""

from streamlit import net_util


def stay_offline() -> None:
    """Limit the addresses that Streamlit knows to those that it was given."""
    net_util.get_external_ip = _unknown
    net_util.get_internal_ip = _unknown


def _unknown() -> None:
    return None
