"""The elements that run in the browser: JavaScript, CSS and their registration."""
