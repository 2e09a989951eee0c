"""The web page: entry script, server, and a room for each page. The only part, with the pages, that knows Streamlit."""
