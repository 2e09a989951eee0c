"""Elements that several pages draw: layout, widgets, galleries, cards."""
