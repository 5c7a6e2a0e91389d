"""Reports of a shift, a day, a week or a month: one document, shown for print, as Excel and as JSON, and sent when it is due."""
