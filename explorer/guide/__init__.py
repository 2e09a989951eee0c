"""The guide: pages of Markdown, read and searched. The pages are the .md files in this folder."""
