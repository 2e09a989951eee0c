"""The web page: entry script, server, and a room for each page. Only this package and the pages import
Streamlit.
"""
