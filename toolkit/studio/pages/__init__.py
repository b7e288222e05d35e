"""What the studio shows: a module a section, templates, and the texts in both languages."""
