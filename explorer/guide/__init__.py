"""The guide: Markdown pages that can be read and searched. The pages are the .md files in this folder."""
