"""What several pages draw: layout, widgets, galleries, cards."""
