"""The web page: entry, session, console and what draws values. The only part, beside the pages, that knows
Streamlit.
"""
