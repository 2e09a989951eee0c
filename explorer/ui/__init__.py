"""The web page: entry script, server, and a room for each page. Only it and the pages know Streamlit."""
