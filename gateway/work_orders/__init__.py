"""Work orders: from an alert or a report to a proven repair (alerts.md, Work order)."""
